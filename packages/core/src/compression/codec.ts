import type { ByteStream } from '../bytes/types.ts';

/** One compression. A new one is a new file that exports this and a line in `codecs.ts`. */
export interface Codec {
  readonly name: 'gzip' | 'zstd' | 'none';
  /** What follows `application/vnd.oci.image.layer.v1.tar` in a layer's media type: `+gzip`, `+zstd`, or nothing. */
  readonly suffix: string;
  /** Whether a stream that starts with these bytes (at least 6, fewer at the end of a short stream) is of this compression. */
  detect(head: Uint8Array): boolean;
  /**
   * Level within the codec's own range (INVALID_ARGUMENT outside); range and default are documented in its file.
   * The same input and level give the same bytes, however the input is cut.
   */
  compress(bytes: ByteStream, options?: { readonly level?: number }): ByteStream;
  /**
   * All members or frames of the stream, one after the other. INVALID_COMPRESSION with the offset where the input is broken
   * or ends early; LIMIT_EXCEEDED before more than `limit` bytes of output (no limit by default) are handed out.
   * Errors of `bytes` itself pass unchanged.
   */
  decompress(bytes: ByteStream, options?: DecompressOptions): ByteStream;
}

export interface DecompressOptions {
  /** The most bytes that may come out; none by default. */
  readonly limit?: number;
}
