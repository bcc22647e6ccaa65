/** Bytes of a gzip header without optional fields, and of a trailer (RFC 1952, 2.3). */
export const gzipHeaderSize = 10;
export const gzipTrailerSize = 8;

/** Which of the two extremes was used (RFC 1952, 2.3.1). */
const extraFlags: Readonly<Record<number, number>> = { 1: 4, 9: 2 };
/** The system, which is true on every one. */
const unknownSystem = 255;

/** The header of a member, without a name or a time. */
export function gzipHeader(level: number): Uint8Array {
  return Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extraFlags[level] ?? 0, unknownSystem);
}

/** CRC-32 and length, modulo 2^32, of what a member decompresses to. */
export function gzipTrailer(crc: number, size: number): Uint8Array {
  const trailer = new DataView(new ArrayBuffer(gzipTrailerSize));
  trailer.setUint32(0, crc, true);
  trailer.setUint32(4, size % 2 ** 32, true);
  return new Uint8Array(trailer.buffer);
}
