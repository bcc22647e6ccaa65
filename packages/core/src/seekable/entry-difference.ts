import { isOciTarError } from '../errors.ts';
import type { TarEntry } from '../tar/entry.ts';
import { decodeExact } from '../tar/text.ts';
import { Drafter } from './draft.ts';
import type { DraftEntry } from './draft.ts';
import type { SeekableEntry } from './entry.ts';
import { nanosecondsOf, tarHeaderFields } from './formats/tar-header-fields.ts';
import type { TocEntry } from './toc.ts';

export interface DifferenceOptions {
  /** Compares all that a header says, to the nanosecond, as readers with tar-split do. */
  readonly exact: boolean;
  /** Whether the TOC has names of users and groups at all. */
  readonly named: boolean;
}

interface Header {
  readonly entry: TarEntry;
  readonly bytes: Uint8Array;
}

/** What a TOC says otherwise of an entry than the tar, for people; undefined where they agree. */
export function difference({ entry, bytes }: Header, toc: TocEntry, node: SeekableEntry | undefined, { exact, named }: DifferenceOptions): string | undefined {
  if (decodeExact(entry.pathBytes) !== toc.name) return `there its name is ${JSON.stringify(entry.path)}`;
  let draft: DraftEntry;
  try {
    draft = new Drafter().draft(entry);
  } catch (error) {
    if (isOciTarError(error, 'UNSUPPORTED')) return error.message;
    throw error;
  }
  const found = (exact ? exactDifferences(entry, bytes, toc) : commonDifferences(entry, draft, toc)).find(([, ours, theirs]) => ours !== theirs);
  const different = (what: string, ours: unknown, theirs: unknown): string => `its ${what} is ${String(ours)}, in the tar ${String(theirs)}`;
  if (toc.type !== draft.type) return different('type', toc.type, draft.type);
  if (found !== undefined) return different(...found);
  const xattr = differentXattr(toc.xattrs, draft.xattrs);
  if (xattr !== undefined) return `its extended attribute ${JSON.stringify(xattr)} is another`;
  // A name that is nothing cannot be told from one that is carried on from an earlier entry.
  if (!named || node === undefined) return undefined;
  if (entry.uname !== '' && entry.uname !== node.userName) return different('user name', node.userName, entry.uname);
  if (entry.gname !== '' && entry.gname !== node.groupName) return different('group name', node.groupName, entry.gname);
  return undefined;
}

type Compared = readonly [what: string, toc: unknown, tar: unknown];

/** What every TOC has. */
function commonDifferences(entry: TarEntry, draft: DraftEntry, toc: TocEntry): readonly Compared[] {
  const isLink = draft.type === 'hardlink' || draft.type === 'symlink';
  return [
    ['size', toc.type === 'reg' ? (toc.size ?? 0) : 0, draft.size ?? 0],
    ['link', isLink ? (toc.linkName ?? '') : '', isLink ? (decodeExact(entry.linknameBytes) ?? 'not UTF-8') : ''],
    ['mode', (toc.mode ?? 0) & 0o7777, entry.mode & 0o7777],
    ['uid', toc.uid ?? 0, entry.uid],
    ['gid', toc.gid ?? 0, entry.gid],
    ['time', sameSecond(toc.modtime, entry.mtime) ? entry.mtime : toc.modtime, entry.mtime],
    ['device', `${toc.devMajor ?? 0}:${toc.devMinor ?? 0}`, `${draft.devMajor ?? 0}:${draft.devMinor ?? 0}`],
  ];
}

function exactDifferences(entry: TarEntry, bytes: Uint8Array, toc: TocEntry): readonly Compared[] {
  const fields = tarHeaderFields(entry, bytes);
  return [
    ['size', toc.size ?? 0, fields.size],
    ['link', toc.linkName ?? '', decodeExact(entry.linknameBytes) ?? 'not UTF-8'],
    ['mode', toc.mode ?? 0, fields.mode],
    ['uid', toc.uid ?? 0, fields.uid],
    ['gid', toc.gid ?? 0, fields.gid],
    ['time', nanosecondsOf(toc.modtime), nanosecondsOf(fields.modtime)],
    ['access time', nanosecondsOf(toc.accesstime), nanosecondsOf(fields.accesstime)],
    ['change time', nanosecondsOf(toc.changetime), nanosecondsOf(fields.changetime)],
    ['device', `${toc.devMajor ?? 0}:${toc.devMinor ?? 0}`, `${fields.devMajor}:${fields.devMinor}`],
  ];
}

/** Some tools round to whole seconds, others cut off. */
function sameSecond(modtime: string | undefined, mtime: number): boolean {
  const time = nanosecondsOf(modtime);
  if (time === undefined) return false;
  const second = 1_000_000_000n;
  const whole = Number((time - (((time % second) + second) % second)) / second);
  return whole === Math.floor(mtime) || whole === Math.floor(mtime + 0.5);
}

const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();

/** The first attribute that is not the same in both. */
function differentXattr(toc: ReadonlyMap<string, Uint8Array> = noXattrs, tar: ReadonlyMap<string, Uint8Array> = noXattrs): string | undefined {
  for (const name of toc.keys()) if (!tar.has(name)) return name;
  for (const [name, value] of tar) {
    const other = toc.get(name);
    if (other === undefined || other.length !== value.length || !other.every((byte, at) => byte === value[at])) return name;
  }
  return undefined;
}
