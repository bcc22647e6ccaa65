import { deflateRaw } from '#runtime/deflate';
import { crc32, inflateSmall } from '#runtime/gzip';
import { OciTarError } from '../../errors.ts';
import { join } from '../../bytes/source.ts';
import { gzipHeader, gzipHeaderSize, gzipTrailer, gzipTrailerSize } from '../../runtime/gzip-frame.ts';
import { decodeText, encodeText } from '../../tar/text.ts';

/** A last deflate block that is stored and empty (RFC 1951, 3.2.4). */
const emptyBlock = Uint8Array.of(1, 0, 0, 0xff, 0xff);

/** As for gzip everywhere. */
const defaultLevel = 6;

/** INVALID_ARGUMENT for a level that deflate does not have. */
export function checkGzipLevel(level: number | undefined): void {
  if (level === undefined || (Number.isInteger(level) && level >= 1 && level <= 9)) return;
  throw new OciTarError('INVALID_ARGUMENT', `gzip has levels 1 to 9, not ${level}`);
}

/** One gzip member with a header that names no time and no system, as Go writes it: the same bytes on every platform. */
export function gzipMember(parts: readonly Uint8Array[], level: number = defaultLevel): Promise<Uint8Array> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  // Not by `await`, which would hold the parts until they are compressed.
  return deflateRaw(parts, level, { before: gzipHeaderSize, after: gzipTrailerSize }).then(({ data, crc }) => {
    data.set(gzipHeader(level));
    data.set(gzipTrailer(crc, size), data.length - gzipTrailerSize);
    return data;
  });
}

/** The content of a small member with a plain header, if all is well with it; see `Decompressor.smallMember`. */
export function smallGzipMember(bytes: Uint8Array): Uint8Array | undefined {
  return memberAt(bytes)?.output;
}

/** The same where it is all of `bytes`; see `Decompressor.wholeMember`. */
export function wholeGzipMember(bytes: Uint8Array): Uint8Array | undefined {
  const member = memberAt(bytes);
  return member?.end === bytes.length ? member.output : undefined;
}

/** A gzip header without optional fields. */
function hasPlainHeader(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8 && bytes[3] === 0;
}

function memberAt(bytes: Uint8Array): { readonly output: Uint8Array; readonly end: number } | undefined {
  if (!hasPlainHeader(bytes)) return undefined;
  const small = inflateSmall(bytes.subarray(gzipHeaderSize));
  const end = gzipHeaderSize + (small?.consumed ?? 0);
  if (small === undefined || bytes.length < end + gzipTrailerSize) return undefined;
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + end);
  if (crc32(small.output, 0) !== trailer.getUint32(0, true) || small.output.length !== trailer.getUint32(4, true)) return undefined;
  return { output: small.output, end: end + gzipTrailerSize };
}

/** An empty member that bears `extra` in its header: a footer. */
export function emptyMember(extra: Uint8Array): Uint8Array {
  return join([Uint8Array.of(0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, extra.length & 0xff, extra.length >>> 8), extra, emptyBlock, new Uint8Array(gzipTrailerSize)]);
}

/** Length of an empty member whose extra field has this length. */
export function emptyMemberSize(extraLength: number): number {
  return gzipHeaderSize + 2 + extraLength + emptyBlock.length + gzipTrailerSize;
}

/** The extra field of an empty member; undefined where the bytes are not exactly such a member. Time, flags and system may be any. */
export function extraOfEmptyMember(bytes: Uint8Array): Uint8Array | undefined {
  const length = (bytes[10] ?? 0) + 256 * (bytes[11] ?? 0);
  if (bytes.length !== emptyMemberSize(length)) return undefined;
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8 || bytes[3] !== 4) return undefined;
  const end = gzipHeaderSize + 2 + length;
  const rest = [...emptyBlock, 0, 0, 0, 0, 0, 0, 0, 0];
  return rest.every((byte, at) => bytes[end + at] === byte) ? bytes.subarray(gzipHeaderSize + 2, end) : undefined;
}

/** An extra field of one subfield `SG` (RFC 1952, 2.3.1.1). */
export function subfield(text: string): Uint8Array {
  return join([Uint8Array.of(0x53, 0x47, text.length & 0xff, text.length >>> 8), encodeText(text)]);
}

/** The text of an extra field of one subfield `SG`; undefined where it is anything else. */
export function textOfSubfield(extra: Uint8Array): string | undefined {
  const length = (extra[2] ?? 0) + 256 * (extra[3] ?? 0);
  return extra[0] === 0x53 && extra[1] === 0x47 && extra.length === 4 + length ? decodeText(extra.subarray(4)) : undefined;
}
