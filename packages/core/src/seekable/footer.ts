import { join } from '../bytes/source.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import { invalidToc } from './failures.ts';
import type { Decompressor, TarSplitPosition } from './format.ts';
import { estargzDecompressor } from './formats/estargz.ts';
import { externalTocDecompressor } from './formats/external-toc.ts';
import { legacyStargzDecompressor } from './formats/legacy-stargz.ts';
import { zstdChunkedDecompressor, zstdChunkedV1Decompressor } from './formats/zstd-chunked-read.ts';

/** Where the parts of a blob are, by its footer. */
export interface BlobParts {
  readonly decompressor: Decompressor;
  /** The members are the bytes before this. */
  readonly payloadSize: number;
  /** Where the compressed TOC starts; undefined where it is not in the blob. */
  readonly tocOffset: number | undefined;
  /** Bytes of the compressed TOC; 0 where it is not in the blob. */
  readonly tocSize: number;
  /** Bytes of the footer, at the end of the blob. */
  readonly footerSize: number;
  readonly tarSplit?: TarSplitPosition;
}

/** The formats that are tried on every blob, in this order. */
export const defaultDecompressors: readonly Decompressor[] = [
  estargzDecompressor,
  legacyStargzDecompressor,
  zstdChunkedDecompressor,
  zstdChunkedV1Decompressor,
];

/**
 * Reads the footer of a blob: which format it is of, where its members end and where its TOC is. `decompressors` are tried after the default ones.
 * INVALID_TOC where there is no footer of any of them, or one that points outside of the blob.
 */
export async function openFooter(blob: ByteSource, decompressors: readonly Decompressor[] = []): Promise<BlobParts> {
  const all = candidates(decompressors);
  const length = Math.min(blob.size, Math.max(...all.map(({ footerSize }) => footerSize)));
  return readFooter(await exactly(blob.read(blob.size - length), length), blob.size, decompressors);
}

/** The same from the end of a blob: at least as long as the longest footer, or the whole blob. */
export function readFooter(tail: Uint8Array, blobSize: number, decompressors: readonly Decompressor[] = []): BlobParts {
  for (const decompressor of candidates(decompressors)) {
    const { footerSize } = decompressor;
    if (footerSize > tail.length) continue;
    const footer = decompressor.parseFooter(tail.subarray(tail.length - footerSize));
    if (footer === undefined) continue;
    const end = blobSize - footerSize;
    const { tocOffset, payloadSize = end, tocSize = end - Math.max(tocOffset, 0), tarSplit } = footer;
    checkPosition('its members end', payloadSize, end);
    if (tocOffset < 0) return { decompressor, payloadSize, tocOffset: undefined, tocSize: 0, footerSize };
    checkPosition('its TOC starts', tocOffset, end);
    checkPosition('its TOC ends', tocOffset + tocSize, end);
    if (payloadSize > tocOffset) throw invalidToc(`starts at byte ${tocOffset}, among the members, which end at ${payloadSize}`);
    if (tarSplit !== undefined) {
      checkPosition('its tar-split part starts', tarSplit.offset, end);
      checkPosition('its tar-split part ends', tarSplit.offset + tarSplit.size, end);
      const apart = tarSplit.offset >= tocOffset + tocSize || tarSplit.offset + tarSplit.size <= tocOffset;
      if (payloadSize > tarSplit.offset || !apart) throw invalidToc(`or the members share bytes with the tar-split part at byte ${tarSplit.offset}`);
    }
    return { decompressor, payloadSize, tocOffset, tocSize, footerSize, ...(tarSplit === undefined ? {} : { tarSplit }) };
  }
  throw new OciTarError('INVALID_TOC', 'the blob has no footer of a seekable layer', {
    offset: Math.max(0, blobSize - tail.length),
    hint: 'it is a plain layer, or of a format that is not known here',
  });
}

function candidates(decompressors: readonly Decompressor[]): readonly Decompressor[] {
  // The last one only says what is missing.
  return [...defaultDecompressors, ...decompressors, externalTocDecompressor()];
}

function checkPosition(what: string, position: number, end: number): void {
  if (Number.isSafeInteger(position) && position >= 0 && position <= end) return;
  throw new OciTarError('INVALID_TOC', `the blob's footer says that ${what} at byte ${position}, but the footer itself is at ${end}`, {
    offset: end,
    actual: position,
    limit: end,
  });
}

/** A stream of exactly so many bytes, in memory. */
export async function exactly(stream: ByteStream, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of stream) {
    parts.push(part);
    size += part.length;
  }
  if (size !== length) throw new OciTarError('SIZE_MISMATCH', `${size} bytes were read, where ${length} were asked for`, { expected: length, actual: size });
  return join(parts, size);
}
