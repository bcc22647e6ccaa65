import { OciTarError } from '../errors.ts';
import { invalidTar } from './invalid.ts';
import { decodeExact, decodeText, encodeText } from './text.ts';

/** PAX records by keyword. Values are bytes: extended attributes (`SCHILY.xattr.*`) are not text. */
export type PaxRecords = ReadonlyMap<string, Uint8Array>;

export const noRecords: PaxRecords = new Map();

/** Keywords whose values are C strings to every reader, so that a NUL would cut them. */
const cStrings = new Set(['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name']);

/**
 * Reads the body of a PAX header (POSIX.1-2001 pax, "pax Extended Header"): records `length keyword=value\n`,
 * a later one over an earlier one of the same keyword. Values are copies.
 * INVALID_TAR, with `offset` the position of the body, for anything that is not exactly that.
 */
export function parsePax(bytes: Uint8Array, offset = 0): PaxRecords {
  const records = new Map<string, Uint8Array>();
  const sparse: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const bad = (why: string): OciTarError => invalidTar(`a PAX record ${why}`, offset + at);
    const space = endOfLength(bytes, at);
    if (space === undefined) throw bad('does not start with its length');
    const end = at + Number(decodeText(bytes.subarray(at, space)));
    if (end > bytes.length) throw bad(`claims ${end - at} bytes, ${bytes.length - at} are left`);
    const equals = bytes.subarray(0, end).indexOf(0x3d, space + 1);
    if (equals <= space + 1 || bytes[end - 1] !== 0x0a || equals >= end - 1) throw bad('is not keyword=value');
    const keyword = decodeExact(bytes.subarray(space + 1, equals));
    if (keyword === undefined || keyword.includes('\0')) throw bad('has a keyword that is not text');
    const value = bytes.slice(equals + 1, end - 1);
    if (cStrings.has(keyword) && value.includes(0)) throw bad(`(${keyword}) has a NUL in it`);
    // Version 0.0 of GNU's sparse files repeats these two; 0.1 has the same as one list.
    if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') sparse.push(decodeText(value));
    else records.set(keyword, value);
    at = end;
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', encodeText(sparse.join(',')));
  return records;
}

/** Position of the space after a record's length; undefined where there is no length of 1 to 9 digits. */
function endOfLength(bytes: Uint8Array, start: number): number | undefined {
  let at = start;
  while (at - start <= 9 && isDigit(bytes[at])) at++;
  return at > start && at - start <= 9 && bytes[at] === 0x20 ? at : undefined;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/**
 * Writes the body of a PAX header, sorted by keyword, so that equal records give equal bytes.
 * INVALID_ARGUMENT for a keyword that is empty or has `=` or NUL in it, or a name with a NUL.
 */
export function encodePax(records: PaxRecords): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (const keyword of [...records.keys()].sort()) {
    const value = records.get(keyword) ?? new Uint8Array(0);
    if (!isKeyword(keyword) || (cStrings.has(keyword) && value.includes(0))) {
      throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(keyword)} cannot be written as a PAX record`, {
        subject: keyword,
      });
    }
    const key = encodeText(keyword);
    const length = recordLength(key.length + value.length + 3);
    const start = encodeText(`${length} `);
    const record = new Uint8Array(length);
    record.set(start);
    record.set(key, start.length);
    record[start.length + key.length] = 0x3d;
    record.set(value, start.length + key.length + 1);
    record[length - 1] = 0x0a;
    parts.push(record);
    size += length;
  }
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function isKeyword(keyword: string): boolean {
  // A lone surrogate (Cs) has no UTF-8.
  return keyword !== '' && !/[=\0\p{Cs}]/u.test(keyword);
}

/** A record's length counts its own digits: `rest` is all but those. */
function recordLength(rest: number): number {
  const guess = rest + String(rest).length;
  return rest + String(guess).length;
}
