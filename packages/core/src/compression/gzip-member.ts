import { crc32 } from '#runtime/gzip';
import type { ByteReader } from '../bytes/reader.ts';
import { OciTarError } from '../errors.ts';
import { broken, truncated } from './failures.ts';

/** The header's flags (RFC 1952, 2.3.1); the first, FTEXT, changes nothing. */
const headerCrc = 0x02;
const extraField = 0x04;
const fileName = 0x08;
const comment = 0x10;
const reserved = 0xe0;

/** The longest file name or comment that a header may have, in bytes; neither is used here. */
const textLimit = 64 * 1024;

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** Reads a member's header. INVALID_COMPRESSION where it is none; LIMIT_EXCEEDED for a name or comment of more than 64 KiB. */
export async function readGzipHeader(reader: ByteReader, first: boolean): Promise<void> {
  const start = reader.offset;
  const head = await reader.peek(2);
  // One byte alone may still be the start of a member that was cut off.
  const cutOff = head.length < 2 && (head.length === 0 || head[0] === 0x1f);
  if (!cutOff && !isGzip(head)) {
    throw broken('gzip', start, first ? 'no gzip header' : 'data after the last member that is no further one');
  }
  let crc = 0;
  const take = async (length: number): Promise<Uint8Array> => {
    const bytes = await exactly(reader, length, 'a header');
    crc = crc32(bytes, crc);
    return bytes;
  };
  const fixed = await take(10);
  const flags = fixed[3] ?? 0;
  if (fixed[2] !== 8) throw broken('gzip', start + 2, `compression method ${fixed[2]}, where 8 is the only one`);
  if ((flags & reserved) !== 0) throw broken('gzip', start + 3, 'a reserved flag is set');
  if (flags & extraField) await take(littleEndian(await take(2)));
  if (flags & fileName) await take(await textLength(reader, 'file name'));
  if (flags & comment) await take(await textLength(reader, 'comment'));
  if (flags & headerCrc) {
    const expected = crc & 0xffff;
    const at = reader.offset;
    const actual = littleEndian(await take(2));
    if (actual !== expected) throw broken('gzip', at, 'the header does not match its checksum', { expected, actual });
  }
}

/** Reads a member's trailer and compares it with what came out. INVALID_COMPRESSION where they differ. */
export async function readGzipTrailer(
  reader: ByteReader,
  decoded: { readonly crc: number; readonly size: number },
): Promise<void> {
  const offset = reader.offset;
  const trailer = await exactly(reader, 8, 'a trailer');
  const crc = littleEndian(trailer.subarray(0, 4));
  if (crc !== decoded.crc) {
    throw broken('gzip', offset, 'the data does not match its CRC-32', { expected: hex(crc), actual: hex(decoded.crc) });
  }
  const size = littleEndian(trailer.subarray(4));
  if (size !== decoded.size) {
    throw broken('gzip', offset + 4, 'the data is not as long as its trailer says', { expected: size, actual: decoded.size });
  }
}

async function textLength(reader: ByteReader, what: string): Promise<number> {
  const text = await reader.peek(textLimit);
  const end = text.indexOf(0);
  if (end >= 0) return end + 1;
  if (text.length < textLimit) throw truncated('gzip', reader.offset + text.length, 'a header');
  throw new OciTarError('LIMIT_EXCEEDED', `the ${what} in the gzip header at byte ${reader.offset} is longer than ${textLimit} bytes`, {
    offset: reader.offset,
    limit: textLimit,
  });
}

async function exactly(reader: ByteReader, length: number, inside: string): Promise<Uint8Array> {
  const bytes = await reader.peek(length);
  if (bytes.length < length) throw truncated('gzip', reader.offset + bytes.length, inside);
  await reader.skip(length);
  return bytes;
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
