import type { ByteSource } from '../bytes/types.ts';

/** A place for bytes that have to wait: a temporary file on Node, memory elsewhere. */
export interface Spool {
  write(chunk: Uint8Array): Promise<void>;
  /** All that has been written so far. Good until `dispose`. */
  source(): Promise<ByteSource>;
  dispose(): Promise<void>;
}
