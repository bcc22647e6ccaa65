import type { ByteReader } from '../../bytes/reader.ts';
import { OciTarError } from '../../errors.ts';
import { formatDigest } from '../../spec/digest.ts';
import { decodeText } from '../text.ts';
import { invalidMetadata, overLimit } from './limits.ts';
import type { SplitLimits } from './limits.ts';
import { magic, rawRecord, recordKinds } from './own-write.ts';
import type { SplitPiece } from './piece.ts';

/** A kind, the longest number and a digest. */
const longestHead = 1 + 8 + 32;

/** The magic without its version. */
const name = 'oci-tar tar-split ';

/** Whether metadata that start so are in our own format, of whatever version. */
export function isOwn(head: Uint8Array): boolean {
  return decodeText(head.subarray(0, name.length)) === name;
}

/** Reads metadata in our own format. INVALID_TAR, LIMIT_EXCEEDED; UNSUPPORTED for a later version. */
export async function* readOwn(reader: ByteReader, limits: SplitLimits): AsyncGenerator<SplitPiece, void, void> {
  const head = decodeText(await reader.peek(magic.length));
  if (head !== decodeText(magic)) throw otherVersion(head, reader.offset);
  await reader.skip(magic.length);
  for (let count = 1; ; count++) {
    if (count > limits.records) throw overLimit('the metadata have a number of records that is', limits.records, reader.offset);
    const record = reader.peek(longestHead);
    const bytes = record instanceof Promise ? await record : record;
    const offset = reader.offset;
    const kind = bytes[0];
    if (kind === undefined) throw invalidMetadata('they end without an end record: they were cut off', offset);
    const { value, next } = readNumber(bytes, offset);
    if (kind === recordKinds.raw) {
      if (value > Math.min(rawRecord, limits.record)) throw overLimit('a raw record has a number of bytes that is', Math.min(rawRecord, limits.record), offset);
      await reader.skip(next);
      const raw = reader.peek(value);
      const all = raw instanceof Promise ? await raw : raw;
      if (all.length < value) throw invalidMetadata('they end inside a raw record: they were cut off', reader.offset + all.length);
      yield { kind: 'raw', bytes: all };
      await reader.skip(value);
      continue;
    }
    if (kind !== recordKinds.payload && kind !== recordKinds.end) throw invalidMetadata(`${kind} is no kind of record`, offset);
    if (bytes.length < next + 32) throw invalidMetadata('they end inside a record: they were cut off', offset + bytes.length);
    const digest = formatDigest('sha256', hexOf(bytes.subarray(next, next + 32)));
    await reader.skip(next + 32);
    if (kind === recordKinds.payload) {
      if (value === 0) throw invalidMetadata('a payload has no bytes', offset);
      yield { kind: 'payload', key: { digest, size: value } };
      continue;
    }
    if ((await reader.peek(1)).length > 0) throw invalidMetadata('something follows the end record', reader.offset);
    yield { kind: 'end', digest, size: value };
    return;
  }
}

/** The number after a record's kind, and where it ends. */
function readNumber(bytes: Uint8Array, offset: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let unit = 1;
  for (let next = 1; next < bytes.length && next <= 8; next++) {
    const byte = bytes[next] ?? 0;
    value += (byte & 0x7f) * unit;
    if (value > Number.MAX_SAFE_INTEGER) break;
    if (byte < 0x80) return { value, next: next + 1 };
    unit *= 0x80;
  }
  throw invalidMetadata('a number is cut off or above 2^53-1', offset + 1);
}

const hexes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexOf(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += hexes[byte] ?? '';
  return hex;
}

function otherVersion(head: string, offset: number): OciTarError {
  const version = head.slice(name.length).trim();
  return new OciTarError('UNSUPPORTED', `tar-split metadata of version ${JSON.stringify(version)}; only 1 is known`, { offset });
}
