import { OciTarError } from '../errors.ts';
import { blockSize, checksum, paddingOf } from './block.ts';
import type { TarType } from './entry.ts';
import { formatTime, parseTime } from './number.ts';
import { encodePax } from './pax.ts';
import type { PaxRecords } from './pax.ts';
import { decodeExact, decodeText, encodeText, isAscii } from './text.ts';

/** What a header is made from. A `TarEntry` is one. */
export interface HeaderFields {
  /** Written as it is: a directory's slash at the end is the caller's. */
  readonly path: string;
  /** Instead of `path` where the name is not UTF-8. */
  readonly pathBytes?: Uint8Array;
  readonly type: TarType;
  /** The type byte of an `other`. */
  readonly typeflag?: string;
  /** Bytes of the body, 0 to 2^53-1, default 0. Only a `file` and an `other` have one. */
  readonly size?: number;
  /** 0 to 07777777; 0755 by default for a directory, 0777 for a symlink, else 0644. */
  readonly mode?: number;
  /** 0 to 2^53-1, default 0. */
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970, to the nanosecond; default 0. */
  readonly mtime?: number;
  readonly linkname?: string;
  readonly linknameBytes?: Uint8Array;
  readonly uname?: string;
  readonly gname?: string;
  /** 0 to 2097151, default 0. */
  readonly devmajor?: number;
  readonly devminor?: number;
  /** More PAX records, such as `SCHILY.xattr.*`. What a field above says replaces the record of the same meaning. */
  readonly pax?: PaxRecords;
  readonly globals?: PaxRecords;
}

/** The type bytes of ustar. */
export const typeflags: Readonly<Record<Exclude<TarType, 'other'>, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** Type bytes with a meaning of their own, which an `other` cannot have. */
const spokenFor = '\x0001234567SxXgLK';

/** Magic and version: `ustar`, NUL, `00`. */
const magic = encodeText('ustar\x0000');

/** Largest number in a field of 7 and of 11 octal digits. */
const octal7 = 0o7777777;
const octal11 = 0o77777777777;

/**
 * The header blocks of one entry: a ustar header and, only where a value does not fit into it, a PAX header before.
 * Equal fields give equal bytes. INVALID_ARGUMENT for values that no tar header can hold.
 */
export function encodeHeader(fields: HeaderFields): Uint8Array {
  const path = fields.pathBytes ?? encodeText(fields.path);
  const refuse = (what: string): OciTarError =>
    new OciTarError('INVALID_ARGUMENT', `entry ${JSON.stringify(fields.path)} cannot be written to a tar: ${what}`, {
      subject: fields.path,
    });
  const count = (what: string, value: number, most: number): number => {
    if (Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
    throw refuse(`its ${what} is ${value}, which is not from 0 to ${most}`);
  };
  if (path.length === 0) throw refuse('it has no name');
  if (fields.type === 'file' && fields.typeflag === 'S') throw refuse('it is a sparse file of the old GNU kind');
  const flag = fields.type === 'other' ? (fields.typeflag ?? '') : typeflags[fields.type];
  if (flag.length !== 1 || flag > '\xff' || (fields.type === 'other' && spokenFor.includes(flag))) {
    throw refuse(`${JSON.stringify(flag)} is not the type of an entry of some other kind`);
  }
  const size = count('size', fields.size ?? 0, Number.MAX_SAFE_INTEGER);
  if (size > 0 && fields.type !== 'file' && fields.type !== 'other') throw refuse(`a ${fields.type} has no body`);
  const mtime = fields.mtime ?? 0;
  if (!(Math.abs(mtime) <= Number.MAX_SAFE_INTEGER)) throw refuse(`its mtime is ${mtime}`);

  const block = new Uint8Array(blockSize);
  const pax = new Map<string, Uint8Array>();
  for (const records of [fields.globals, fields.pax]) {
    for (const [keyword, value] of records ?? none) if (!governed.has(keyword)) pax.set(keyword, keyword === 'GNU.sparse.name' ? path : value);
  }
  const time = fields.pax?.get('mtime') ?? fields.globals?.get('mtime');
  const number = (keyword: string, value: number, at: number, digits: number, most: number): void => {
    const fits = Number.isInteger(value) && value >= 0 && value <= most;
    if (!fits) pax.set(keyword, encodeText(keyword === 'mtime' ? timeText(value, time) : String(value)));
    const whole = Math.floor(value);
    putOctal(block, at, digits, whole >= 0 && whole <= most ? whole : 0);
  };
  const string = (keyword: string, value: Uint8Array, at: number, length: number): void => {
    if (value.length === 0) return;
    if (value.length > length || !isAscii(value)) pax.set(keyword, value);
    else if (value.includes(0)) throw refuse(`its ${keyword} has a NUL in it`);
    block.set(value.subarray(0, length), at);
  };

  const split = splitPath(path);
  if (split === undefined) string('path', path, 0, 100);
  else {
    block.set(path.subarray(0, split), 345);
    block.set(path.subarray(split + 1), 0);
  }
  putOctal(block, 100, 7, count('mode', fields.mode ?? defaultMode(fields.type), octal7));
  number('uid', count('uid', fields.uid ?? 0, Number.MAX_SAFE_INTEGER), 108, 7, octal7);
  number('gid', count('gid', fields.gid ?? 0, Number.MAX_SAFE_INTEGER), 116, 7, octal7);
  number('size', size, 124, 11, octal11);
  number('mtime', mtime, 136, 11, octal11);
  block[156] = flag.charCodeAt(0);
  string('linkpath', fields.linknameBytes ?? textBytes(fields.linkname), 157, 100);
  block.set(magic, 257);
  string('uname', textBytes(fields.uname), 265, 31);
  string('gname', textBytes(fields.gname), 297, 31);
  putOctal(block, 329, 7, count('devmajor', fields.devmajor ?? 0, octal7));
  putOctal(block, 337, 7, count('devminor', fields.devminor ?? 0, octal7));
  putOctal(block, 148, 6, checksum(block));
  block[155] = 0x20;
  if (pax.size === 0) return block;
  // Without it libarchive refuses names that are not UTF-8 (POSIX.1-2008 pax, "hdrcharset").
  if (isBinary(fields.pathBytes) || isBinary(fields.linknameBytes)) pax.set('hdrcharset', encodeText('BINARY'));
  return withPax(block, pax, path);
}

function isBinary(name: Uint8Array | undefined): boolean {
  return name !== undefined && !isAscii(name) && decodeExact(name) === undefined;
}

const none: PaxRecords = new Map();
const nothing = new Uint8Array(0);

function textBytes(text: string | undefined): Uint8Array {
  return text === undefined || text === '' ? nothing : encodeText(text);
}

/** Records that the fields speak for. */
const governed = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'mtime', 'uname', 'gname']);

/** The record that a time was read from has all its digits, so it is kept while it still says the same time. */
function timeText(mtime: number, record: Uint8Array | undefined): string {
  const text = record === undefined ? '' : decodeText(record);
  return parseTime(text) === mtime ? text : formatTime(mtime);
}

function defaultMode(type: TarType): number {
  if (type === 'directory') return 0o755;
  return type === 'symlink' ? 0o777 : 0o644;
}

function putOctal(block: Uint8Array, at: number, digits: number, value: number): void {
  let i = at + digits - 1;
  let left = value;
  for (; left > 0x7fffffff; left = Math.floor(left / 8)) block[i--] = 0x30 + (left % 8);
  // What fits into 31 bits takes a fifth of the time.
  for (; i >= at; left >>= 3) block[i--] = 0x30 + (left & 7);
}

/** Position of the slash at which a path of 101 to 256 bytes is divided into prefix and name; undefined where it cannot be. */
function splitPath(path: Uint8Array): number | undefined {
  if (path.length <= 100 || path.length > 256 || !isAscii(path) || path.includes(0)) return undefined;
  const slash = path.lastIndexOf(0x2f, Math.min(155, path.length - 2));
  return slash > 0 && path.length - slash - 1 <= 100 ? slash : undefined;
}

/** The entry's header with a PAX header before it, named after it. */
function withPax(block: Uint8Array, pax: PaxRecords, path: Uint8Array): Uint8Array {
  const body = encodePax(pax);
  const name = new Uint8Array(100);
  name.set(encodeText('PaxHeaders/'));
  let at = 11;
  // The tail of the path is the part that tells entries apart; the name is only for readers that do not know PAX.
  for (const byte of path.subarray(-80)) name[at++] = byte > 0x20 && byte < 0x7f ? byte : 0x5f;
  while (name[at - 1] === 0x2f && at > 11) name[--at] = 0;
  const header = encodeHeader({ path: decodeText(name.subarray(0, at)), type: 'file', size: body.length });
  header[156] = 0x78;
  putOctal(header, 148, 6, checksum(header));
  const joined = new Uint8Array(2 * blockSize + body.length + paddingOf(body.length));
  joined.set(header);
  joined.set(body, blockSize);
  joined.set(block, joined.length - blockSize);
  return joined;
}
