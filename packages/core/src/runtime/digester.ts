export type { HashAlgorithm } from '../spec/digest.ts';

/** One hash under way. Asynchronous, so that a worker thread can stand behind it. */
export interface Digester {
  /**
   * Takes the next bytes. The caller must not change them afterwards.
   * Returns a promise only when the digester is behind and the caller should wait.
   */
  update(chunk: Uint8Array): Promise<void> | void;
  /** The digest of all bytes so far, in lower-case hex: a promise only where a thread is still at it. Ends the digester. */
  hex(): Promise<string> | string;
  /** Gives the hash up and frees what stands behind it. Harmless after `hex`. */
  dispose(): void;
}
