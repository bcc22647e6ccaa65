import type { ByteSource } from '../../bytes/types.ts';
import type { Digest } from '../../spec/digest.ts';

/** A payload by what it is, as our own metadata has it. */
export interface ContentKey {
  readonly digest: Digest;
  /** In bytes, 1 and more. */
  readonly size: number;
}

/** A payload by the name of its file, as upstream's metadata has it. */
export interface NamedKey {
  /** As it stands in the archive: nothing is made safe. */
  readonly name: Uint8Array;
  /** In bytes, 1 and more. */
  readonly size: number;
}

export type PayloadKey = ContentKey | NamedKey;

/** Where the payloads of an archive go when it is taken apart. The same key may come several times. */
export interface PayloadSink<K extends PayloadKey> {
  /** Takes a short payload whole. The bytes are good during the call only. */
  put(key: K, bytes: Uint8Array): Promise<void> | void;
  /** Starts a long one, whose key is known in the end. */
  begin(): Promise<PayloadWriter<K>> | PayloadWriter<K>;
}

/** One long payload on its way; nothing of it is visible before `commit`. */
export interface PayloadWriter<K extends PayloadKey> {
  write(bytes: Uint8Array): Promise<void> | void;
  commit(key: K): Promise<void> | void;
  /** Gives it up. Harmless after `commit`. */
  abort(reason?: unknown): Promise<void> | void;
}

/** Where the payloads come from when an archive is put together. What is handed out is checked by whoever asks. */
export interface PayloadSource {
  /** NOT_FOUND; UNSUPPORTED for a key of the other kind. */
  open(key: PayloadKey): Promise<ByteSource> | ByteSource;
  /**
   * Puts a short payload into `target`, which has its size, where that is possible at once: saves an array and a copy for each.
   * False where it has to be opened instead, also where its size is another one.
   */
  readInto?(key: PayloadKey, target: Uint8Array): boolean;
}

/** Keeps none, where only the metadata are wanted. */
export const discardPayloads: PayloadSink<PayloadKey> = {
  put: () => {},
  begin: () => ({ write: () => {}, commit: () => {}, abort: () => {} }),
};
