import { OciTarError } from '../errors.ts';
import { blockSize, checksum, signedChecksum } from './block.ts';
import { invalidTar } from './invalid.ts';
import { parseNumber } from './number.ts';
import { decodeText, isAscii, untilNul } from './text.ts';

/** Which of the header layouts a block has; PAX archives are `ustar` with extensions around it. */
export type TarFormat = 'v7' | 'ustar' | 'gnu' | 'star';

/** One 512-byte header as it stands, before any extension is applied. */
export interface TarHeader {
  readonly format: TarFormat;
  /** Prefix and name, joined where the format has a prefix. */
  readonly path: string;
  readonly pathBytes: Uint8Array;
  readonly linkname: string;
  readonly linknameBytes: Uint8Array;
  /** The type byte as a character; NUL is `\0`. */
  readonly typeflag: string;
  /** Bytes, 0 to 2^53-1, as the field has it: not every type has a body. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970; may be negative. */
  readonly mtime: number;
  readonly uname: string;
  readonly gname: string;
  /** 0 unless the entry is a device. */
  readonly devmajor: number;
  readonly devminor: number;
}

/**
 * Reads a header of any common format (v7, ustar, GNU, star) from a block of 512 bytes.
 * The bytes it returns are views of the block. `offset` is where the block starts, for the error.
 * INVALID_TAR for a wrong checksum and for numbers that are malformed, negative (but mtime) or above 2^53-1.
 */
export function decodeHeader(block: Uint8Array, offset = 0): TarHeader {
  if (block.length !== blockSize) {
    throw new OciTarError('INVALID_ARGUMENT', `a tar header has ${blockSize} bytes, not ${block.length}`);
  }
  if (!hasChecksum(block)) {
    throw invalidTar('not a tar header: its checksum is wrong', offset);
  }
  const format = formatOf(block);
  const pathBytes = joinPrefix(prefixOf(block, format), untilNul(block, 0, 100));
  const path = decodeText(pathBytes);
  const linknameBytes = untilNul(block, 157, 257);
  const typeflag = String.fromCharCode(block[156] ?? 0);
  const number = (what: string, start: number, end: number): number => {
    const value = parseNumber(block, start, end);
    if (value !== undefined && (value >= 0 || what === 'mtime')) return value;
    const why = value === undefined ? 'is no number up to 2^53-1' : 'is negative';
    throw invalidTar(`the ${what} of ${JSON.stringify(path)} ${why}`, offset + start, path);
  };
  const named = format !== 'v7';
  // Some writers leave rubbish in the device fields of what is no device.
  const device = named && (typeflag === '3' || typeflag === '4');
  return {
    format,
    path,
    pathBytes,
    linkname: linknameBytes.length === 0 ? '' : decodeText(linknameBytes),
    linknameBytes,
    typeflag,
    size: number('size', 124, 136),
    mode: number('mode', 100, 108),
    uid: number('uid', 108, 116),
    gid: number('gid', 116, 124),
    mtime: number('mtime', 136, 148),
    uname: named ? decodeText(untilNul(block, 265, 297)) : '',
    gname: named ? decodeText(untilNul(block, 297, 329)) : '',
    devmajor: device ? number('devmajor', 329, 337) : 0,
    devminor: device ? number('devminor', 337, 345) : 0,
  };
}

/** Whether a block has the checksum of a header. */
export function hasChecksum(block: Uint8Array): boolean {
  const stored = parseNumber(block, 148, 156);
  return stored === checksum(block) || stored === signedChecksum(block);
}

function formatOf(block: Uint8Array): TarFormat {
  if (!startsWith(block, 257, 'ustar')) return 'v7';
  if (block[262] === 0x20 && block[263] === 0x20 && block[264] === 0) return 'gnu';
  if (block[262] !== 0) return 'v7';
  return startsWith(block, 508, 'tar\0') ? 'star' : 'ustar';
}

function startsWith(block: Uint8Array, at: number, ascii: string): boolean {
  for (let i = 0; i < ascii.length; i++) if (block[at + i] !== ascii.charCodeAt(i)) return false;
  return true;
}

const nothing = new Uint8Array(0);

/**
 * The bytes in front of the name. GNU has its times where ustar has the prefix; but Go before 1.8 wrote a prefix
 * into GNU headers, so layers of that age have one where the two times are no numbers.
 */
function prefixOf(block: Uint8Array, format: TarFormat): Uint8Array {
  if (format === 'v7') return nothing;
  if (format === 'ustar') return untilNul(block, 345, 500);
  if (format === 'star') return untilNul(block, 345, 476);
  if (block[345] === 0) return nothing;
  if (parseNumber(block, 345, 357) !== undefined && parseNumber(block, 357, 369) !== undefined) return nothing;
  const prefix = untilNul(block, 345, 500);
  return isAscii(prefix) ? prefix : nothing;
}

function joinPrefix(prefix: Uint8Array, name: Uint8Array): Uint8Array {
  if (prefix.length === 0) return name;
  const joined = new Uint8Array(prefix.length + 1 + name.length);
  joined.set(prefix);
  joined[prefix.length] = 0x2f;
  joined.set(name, prefix.length + 1);
  return joined;
}
