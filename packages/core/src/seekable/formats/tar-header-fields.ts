import { OciTarError } from '../../errors.ts';
import { blockSize } from '../../tar/block.ts';
import type { TarEntry } from '../../tar/entry.ts';
import { decodeHeader } from '../../tar/header.ts';
import { parseDecimal, parseNumber } from '../../tar/number.ts';
import { decodeText } from '../../tar/text.ts';
import { shown } from '../failures.ts';

/**
 * What containers-storage has in a TOC of a tar's header, as Go's archive/tar reads it: more than other tools, and taken from every type of entry, since it
 * compares the two field by field.
 */
export interface TarHeaderFields {
  readonly linkName: string;
  readonly mode: number;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  /** RFC 3339, UTC, to the nanosecond. */
  readonly modtime: string;
  readonly accesstime: string | undefined;
  readonly changetime: string | undefined;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Where the headers of GNU and of star have access and change time. */
const timeFields = { gnu: [345, 357], star: [476, 488] } as const;

/** Of an entry's header blocks. UNSUPPORTED for times beyond the years 0 to 9999. */
export function tarHeaderFields(entry: TarEntry, blocks: Uint8Array): TarHeaderFields {
  const block = blocks.subarray(blocks.length - blockSize);
  const header = decodeHeader(block, entry.offset);
  const record = (keyword: string): string | undefined => {
    const value = entry.pax.get(keyword);
    return value === undefined || value.length === 0 ? undefined : decodeText(value);
  };
  const [accessAt, changeAt] = header.format === 'gnu' || header.format === 'star' ? timeFields[header.format] : [undefined, undefined];
  const time = (text: string | undefined, at: number | undefined): string | undefined => {
    if (text !== undefined) return timeOf(text, entry);
    if (at === undefined || block[at] === 0) return undefined;
    const seconds = parseNumber(block, at, at + 12);
    return seconds === undefined ? undefined : timeOf(String(seconds), entry);
  };
  const device = (at: number): number => (header.format === 'v7' ? 0 : Math.max(0, parseNumber(block, at, at + 8) ?? 0));
  return {
    linkName: entry.linkname,
    mode: entry.mode,
    size: entry.type === 'file' ? entry.size : (parseDecimal(record('size') ?? '') ?? header.size),
    uid: entry.uid,
    gid: entry.gid,
    modtime: timeOf(record('mtime') ?? String(header.mtime), entry),
    accesstime: time(record('atime'), accessAt),
    changetime: time(record('ctime'), changeAt),
    devMajor: device(329),
    devMinor: device(337),
  };
}

/** A PAX time, exact to the nanosecond; what is finer is cut off, as Go does. */
function timeOf(text: string, entry: TarEntry): string {
  const [, sign = '', seconds = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text) ?? [];
  const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  const time = timeFromNanoseconds(sign === '-' ? -nanoseconds : nanoseconds);
  if (time !== undefined) return time;
  throw new OciTarError('UNSUPPORTED', `${shown(entry.path)} cannot be in a TOC: its time, ${text} s, is not in the years 0 to 9999`, { subject: entry.path, offset: entry.offset });
}

function timeFromNanoseconds(time: bigint): string | undefined {
  const second = 1_000_000_000n;
  const rest = ((time % second) + second) % second;
  const seconds = Number((time - rest) / second);
  if (seconds < -62_167_219_200 || seconds > 253_402_300_799) return undefined;
  const fraction = rest === 0n ? '' : `.${rest.toString().padStart(9, '0').replace(/0+$/, '')}`;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction}Z`;
}

/** Nanoseconds since 1970 of an RFC 3339 time with any offset and up to nine digits of a second; undefined for what is none. 1970 itself and no time are one. */
export function nanosecondsOf(text: string | undefined): bigint | undefined {
  if (text === undefined || text === '') return 0n;
  const [, whole, fraction = '', zone] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const milliseconds = whole === undefined || zone === undefined ? Number.NaN : Date.parse(`${whole}${zone}`);
  if (Number.isNaN(milliseconds)) return undefined;
  const time = BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
  // What Go has for no time at all.
  return time === -62_135_596_800_000_000_000n ? 0n : time;
}
