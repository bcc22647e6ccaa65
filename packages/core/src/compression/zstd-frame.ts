import { OciTarError } from '../errors.ts';
import { broken } from './failures.ts';

/** What a block holds at the most, by the format (RFC 8878, 3.1.1.2.4). */
const blockLimit = 128 * 1024;

/** The largest window that is decoded, in bytes: zstd's own default, 128 MiB (`--long=27`). */
export const windowLimit = 2 ** 27;

/** Frame headers have 6 to 18 bytes: the magic number, a descriptor, and fields of which the descriptor says the lengths. */
export const magicLength = 4;
export const blockHeaderLength = 3;
export const checksumLength = 4;

export interface FrameHeader {
  /** Length of the whole header in bytes. */
  readonly length: number;
  readonly windowSize: number;
  /** What the frame says that it decodes to. */
  readonly contentSize: number | undefined;
  readonly hasChecksum: boolean;
  /** The most bytes that a block of this frame may have, compressed or not. */
  readonly blockLimit: number;
}

export interface BlockHeader {
  readonly last: boolean;
  readonly type: 'raw' | 'repeated' | 'compressed';
  /** Bytes that follow the header. */
  readonly length: number;
  /** Bytes that come out; undefined for a compressed block, which says so only inside. */
  readonly decodedLength: number | undefined;
}

export function isFrame(head: Uint8Array): boolean {
  return head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
}

/** Skippable frames bear anything and decode to nothing (RFC 8878, 3.1.2). */
export function isSkippableFrame(head: Uint8Array): boolean {
  return ((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
}

/** Length of a frame header, from its descriptor (the byte after the magic number). */
export function frameHeaderLength(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  return magicLength + 1 + (single ? 0 : 1) + dictionaryLength(descriptor) + contentSizeLength(descriptor);
}

/**
 * Reads a frame header (RFC 8878, 3.1.1.1). INVALID_COMPRESSION where a reserved bit is set; UNSUPPORTED for a dictionary;
 * LIMIT_EXCEEDED for a window of more than `windowLimit`.
 */
export function parseFrameHeader(header: Uint8Array, offset: number): FrameHeader {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  let at = magicLength;
  const descriptor = view.getUint8(at++);
  if ((descriptor & 0x08) !== 0) throw broken('zstd', offset + magicLength, 'a reserved bit is set in the frame header');
  const single = (descriptor & 0x20) !== 0;
  const windowDescriptor = single ? 0 : view.getUint8(at++);
  const dictionary = littleEndian(view, at, dictionaryLength(descriptor));
  if (dictionary !== 0) {
    throw new OciTarError('UNSUPPORTED', `the zstd frame at byte ${offset} needs dictionary ${dictionary}`, { offset });
  }
  at += dictionaryLength(descriptor);
  const sizeLength = contentSizeLength(descriptor);
  // Two bytes count from 256, as less would have fit in one.
  const contentSize = sizeLength === 0 ? undefined : littleEndian(view, at, sizeLength) + (sizeLength === 2 ? 256 : 0);
  const windowSize = single ? (contentSize ?? 0) : windowOf(windowDescriptor);
  if (windowSize > windowLimit) {
    throw new OciTarError('LIMIT_EXCEEDED', `the zstd frame at byte ${offset} needs a window of ${windowSize} bytes, more than ${windowLimit}`, {
      offset,
      limit: windowLimit,
      hint: 'compress it again with a window of 128 MiB or less (zstd --long=27)',
    });
  }
  return {
    length: header.length,
    windowSize,
    contentSize,
    hasChecksum: (descriptor & 0x04) !== 0,
    blockLimit: Math.min(windowSize, blockLimit),
  };
}

/** Reads a block header (RFC 8878, 3.1.1.2). INVALID_COMPRESSION for the reserved type and for a block over the frame's limit. */
export function parseBlockHeader(header: Uint8Array, frame: FrameHeader, offset: number): BlockHeader {
  const value = (header[0] ?? 0) | ((header[1] ?? 0) << 8) | ((header[2] ?? 0) << 16);
  const last = (value & 1) !== 0;
  const size = value >>> 3;
  if (size > frame.blockLimit) {
    throw broken('zstd', offset, `a block of ${size} bytes, where the frame allows ${frame.blockLimit}`);
  }
  switch ((value >>> 1) & 3) {
    case 0:
      return { last, type: 'raw', length: size, decodedLength: size };
    case 1:
      return { last, type: 'repeated', length: 1, decodedLength: size };
    case 2:
      return { last, type: 'compressed', length: size, decodedLength: undefined };
    default:
      throw broken('zstd', offset, 'a block of the reserved type');
  }
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

function dictionaryLength(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3] ?? 0;
}

function contentSizeLength(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0;
  return [single ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
}

function littleEndian(view: DataView, at: number, length: number): number {
  let value = 0;
  for (let index = length - 1; index >= 0; index--) value = value * 256 + view.getUint8(at + index);
  return value;
}
