import { join } from '../../bytes/source.ts';
import { OciTarError } from '../../errors.ts';
import { decodeText, encodeText } from '../../tar/text.ts';
import { invalidToc } from '../failures.ts';
import type { Footer } from '../format.ts';

/** Which of the two kinds: 1 is stargz-snapshotter's and skopeo's of 2022, 2 that of containers-storage since then. */
export type ZstdChunkedVersion = 1 | 2;

/** Of the compressed TOC; version 1 and version 2. */
export const manifestChecksumAnnotations: Readonly<Record<ZstdChunkedVersion, string>> = {
  1: 'io.containers.zstd-chunked.manifest-checksum',
  2: 'io.github.containers.zstd-chunked.manifest-checksum',
};

/** `offset:length:length decompressed:1` of the TOC. */
export const manifestPositionAnnotations: Readonly<Record<ZstdChunkedVersion, string>> = {
  1: 'io.containers.zstd-chunked.manifest-position',
  2: 'io.github.containers.zstd-chunked.manifest-position',
};

/** `offset:length:length decompressed` of the tar-split part. */
export const tarSplitPositionAnnotation = 'io.github.containers.zstd-chunked.tarsplit-position';

/** Where a part is in the blob: what is in a skippable frame, without the frame's own header. */
export interface ZstdPart {
  readonly offset: number;
  readonly size: number;
  /** Decompressed. */
  readonly rawSize: number;
}

export interface ZstdChunkedFooter {
  readonly toc: ZstdPart;
  /** Only in version 2. */
  readonly tarSplit?: ZstdPart;
}

/** A skippable frame's magic number and length (RFC 8878, 3.1.2). */
export const skippableHeaderSize = 8;
const skippableMagic = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18);

/** Both kinds have been written with either. */
const magics: Readonly<Record<ZstdChunkedVersion, string>> = { 1: 'GnUlInUx', 2: 'GNUlInUx' };
const dataSizes: Readonly<Record<ZstdChunkedVersion, number>> = { 1: 40, 2: 64 };

/** The one kind of TOC that there is: entries like those of stargz. */
const tocType = 1;

/** Length of the footer in bytes, as the skippable frame that it is. */
export function zstdFooterSize(version: ZstdChunkedVersion): number {
  return skippableHeaderSize + dataSizes[version];
}

/** A frame that every decompressor passes over. LIMIT_EXCEEDED for 4 GiB and more. */
export function skippableFrame(data: Uint8Array): Uint8Array {
  if (data.length > 0xffffffff) throw new OciTarError('LIMIT_EXCEEDED', `${data.length} bytes do not fit into a skippable frame`, { limit: 0xffffffff });
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, data.length, true);
  return join([skippableMagic, size, data]);
}

export function encodeZstdFooter(version: ZstdChunkedVersion, { toc, tarSplit }: ZstdChunkedFooter): Uint8Array {
  const data = new Uint8Array(dataSizes[version]);
  const view = new DataView(data.buffer);
  const numbers = [toc.offset, toc.size, toc.rawSize, tocType, ...(version === 1 ? [] : [tarSplit?.offset ?? 0, tarSplit?.size ?? 0, tarSplit?.rawSize ?? 0])];
  for (const [at, value] of numbers.entries()) view.setBigUint64(8 * at, BigInt(value), true);
  data.set(encodeText(magics[version]), data.length - 8);
  return skippableFrame(data);
}

/** Undefined where the bytes are no footer of this length, whichever of the two magic numbers it ends with. INVALID_TOC for positions that are none. */
export function decodeZstdFooter(bytes: Uint8Array): ZstdChunkedFooter | undefined {
  if (bytes.length !== zstdFooterSize(1) && bytes.length !== zstdFooterSize(2)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!skippableMagic.every((byte, at) => bytes[at] === byte) || view.getUint32(4, true) !== bytes.length - skippableHeaderSize) return undefined;
  const magic = decodeText(bytes.subarray(-8));
  if (magic !== magics[1] && magic !== magics[2]) return undefined;
  const number = (index: number): number => {
    const value = Number(view.getBigUint64(skippableHeaderSize + 8 * index, true));
    if (Number.isSafeInteger(value)) return value;
    throw invalidToc('has a footer with a number of 2^53 or more');
  };
  if (number(3) !== tocType) throw invalidToc(`is of kind ${number(3)} by the footer, where ${tocType} is the only one`);
  const toc = { offset: number(0), size: number(1), rawSize: number(2) };
  if (bytes.length < zstdFooterSize(2) || number(4) === 0) return { toc };
  return { toc, tarSplit: { offset: number(4), size: number(5), rawSize: number(6) } };
}

/** The parts of the blob as `Decompressor.parseFooter` tells them. INVALID_TOC where a part has no room for its frame. */
export function footerOf({ toc, tarSplit }: ZstdChunkedFooter): Footer {
  const first = Math.min(toc.offset, tarSplit?.offset ?? toc.offset);
  if (first < skippableHeaderSize) throw invalidToc(`has a footer that puts it at byte ${first}, where there is no room for its frame`);
  return {
    payloadSize: first - skippableHeaderSize,
    tocOffset: toc.offset,
    tocSize: toc.size,
    ...(tarSplit === undefined ? {} : { tarSplit }),
  };
}

export function positionText({ offset, size, rawSize }: ZstdPart): string {
  return `${offset}:${size}:${rawSize}`;
}

/** Of the TOC, with its kind. */
export function manifestPosition(toc: ZstdPart): string {
  return `${positionText(toc)}:${tocType}`;
}
