import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { limited } from '../compression/limits.ts';
import { openFooter } from './footer.ts';
import type { Decompressor } from './format.ts';

export interface UnpackSeekableOptions {
  /** Formats to be tried after eStargz, stargz and zstd:chunked. */
  readonly decompressors?: readonly Decompressor[];
  /** The most bytes that may come out; none by default. LIMIT_EXCEEDED. */
  readonly limit?: number;
}

/**
 * The tar of a seekable layer, without TOC and footer: every byte of what was appended losslessly, else the entries as they were written.
 * INVALID_TOC where the blob has no footer, INVALID_COMPRESSION. Nothing is verified.
 */
export async function* unpackSeekable(blob: ByteSource, options: UnpackSeekableOptions = {}): ByteStream {
  const { decompressor, payloadSize } = await openFooter(blob, options.decompressors);
  // No member at all is nothing, which no decompressor takes for an input.
  if (payloadSize === 0) return;
  yield* limited(decompressor.reader(blob.read(0, payloadSize)), options.limit ?? Infinity);
}
