import { digestStream } from '../bytes/digest.ts';
import { bytesSource, sliceSource } from '../bytes/source.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { openFooter } from '../seekable/footer.ts';
import type { Decompressor } from '../seekable/format.ts';
import { openSeekable } from '../seekable/open.ts';
import type { Digest } from '../spec/digest.ts';

export interface SeekableBlobOptions {
  /** Formats to be tried after those of the library. */
  readonly decompressors?: readonly Decompressor[];
}

/** Where members start that a reader can begin at: the first, those that the TOC names for content, and the TOC where it is in the blob. Each once, in order. */
export async function memberOffsets(blob: Uint8Array | ByteSource, { decompressors = [] }: SeekableBlobOptions = {}): Promise<readonly number[]> {
  const { parts, chunks } = await openSeekable(sourceOf(blob), { decompressors });
  const first = parts.payloadSize > 0 ? [0] : [];
  return [...new Set([...first, ...chunks.map(({ offset }) => offset), ...(parts.tocOffset === undefined ? [] : [parts.tocOffset])])].toSorted((a, b) => a - b);
}

/** The digest of all that a reader without a TOC gets out of a blob, by the format's own decompressor. */
export async function blobDiffID(blob: Uint8Array | ByteSource, { decompressors = [] }: SeekableBlobOptions = {}): Promise<Digest> {
  const source = sourceOf(blob);
  const { decompressor, payloadSize } = await openFooter(source, decompressors);
  const tar = async function* (): ByteStream {
    if (payloadSize > 0) yield* decompressor.reader(source.read(0, payloadSize));
    if (decompressor.tarOfEnd !== undefined) yield* decompressor.tarOfEnd(sliceSource(source, payloadSize, source.size).read());
  };
  return (await digestStream(tar())).digest;
}

function sourceOf(blob: Uint8Array | ByteSource): ByteSource {
  return blob instanceof Uint8Array ? bytesSource(blob) : blob;
}
