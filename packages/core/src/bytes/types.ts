/** Bytes on the move: read once, in runs of 64 KiB and more. A run belongs to its reader, who may keep it but not change it. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** Bytes at rest: a known size, opened anew on each `read`. */
export interface ByteSource {
  /** Length in bytes. */
  readonly size: number;
  /**
   * The bytes from `start` (default 0) up to but without `end` (default `size`), 0 <= start <= end <= size.
   * Throws SIZE_MISMATCH when the medium turns out shorter than `size`.
   */
  read(start?: number, end?: number): ByteStream;
  /** For readers of much that use their memory again. Absent where `read` is the only way. Throws as `read` does. */
  open?(): Promise<OpenSource>;
}

/** A source that is open until `close`. */
export interface OpenSource {
  /** Fills `target` with the bytes from `position` on. Throws as `ByteSource.read` does; then part of the target may have been written. */
  readInto(target: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/** Where bytes go. Nothing counts as written before `commit`; `abort` takes back what it can. */
export interface ByteSink {
  /** Resolves when the next chunk may come. The chunk must not be changed afterwards. */
  write(chunk: Uint8Array): Promise<void>;
  commit(): Promise<void>;
  abort(reason?: unknown): Promise<void>;
}
