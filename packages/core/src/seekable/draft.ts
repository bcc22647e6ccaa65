import { OciTarError } from '../errors.ts';
import type { TarEntry } from '../tar/entry.ts';
import { decodeExact } from '../tar/text.ts';
import { shown } from './failures.ts';
import type { TocEntry, TocEntryType } from './toc.ts';

/** An entry of a TOC while it is put together. */
export type DraftEntry = { -readonly [Key in keyof TocEntry]: TocEntry[Key] };

/** What to do about names that are not UTF-8, which a TOC cannot have. */
export type InvalidNames = 'refuse' | 'replace';

const types: Readonly<Record<TarEntry['type'], TocEntryType | undefined>> = {
  file: 'reg',
  hardlink: 'hardlink',
  symlink: 'symlink',
  'character-device': 'char',
  'block-device': 'block',
  directory: 'dir',
  fifo: 'fifo',
  other: undefined,
};

const xattrPrefix = 'SCHILY.xattr.';

/** Years that RFC 3339 has, in seconds since 1970. */
const firstTime = -62_167_219_200;
const lastTime = 253_402_300_799;

/** Turns entries of a tar into entries of a TOC. Remembers the names of users and groups, which are written only when they change. */
export class Drafter {
  readonly #invalidNames: InvalidNames;
  readonly #users = new Map<number, string>();
  readonly #groups = new Map<number, string>();

  constructor(invalidNames: InvalidNames = 'refuse') {
    this.#invalidNames = invalidNames;
  }

  /**
   * The TOC's entry, without its chunks. UNSUPPORTED for what a TOC cannot say: types of vendors, sparse files, times beyond the
   * years 0 to 9999, and names that are not UTF-8 unless they may be replaced.
   */
  draft(entry: TarEntry): DraftEntry {
    const refuse = (what: string, hint?: string): OciTarError =>
      new OciTarError('UNSUPPORTED', `${shown(entry.path)} cannot be in a TOC: ${what}`, { subject: entry.path, offset: entry.offset, ...(hint === undefined ? {} : { hint }) });
    const type = types[entry.type];
    if (type === undefined) throw refuse(`it is of type ${JSON.stringify(entry.typeflag)}`);
    if (entry.sparse !== undefined) throw refuse('it is a sparse file', 'make the tar again without sparse files (GNU tar without --sparse)');
    if (this.#invalidNames === 'refuse' && (isLossy(entry.path, entry.pathBytes) || isLossy(entry.linkname, entry.linknameBytes))) {
      throw refuse('its name is not UTF-8', 'rename it; or have such names replaced (invalidNames of the library), where no two become one');
    }
    const draft: DraftEntry = { name: entry.path, type };
    if (type === 'reg') draft.size = entry.size;
    const modtime = timeText(entry.mtime);
    if (modtime === undefined) throw refuse(`its time, ${entry.mtime} s, is not in the years 0 to 9999`);
    if (modtime !== '') draft.modtime = modtime;
    if (type === 'hardlink' || type === 'symlink') draft.linkName = entry.linkname;
    draft.mode = entry.mode & 0o7777;
    draft.uid = entry.uid;
    draft.gid = entry.gid;
    if (changed(this.#users, entry.uid, entry.uname)) draft.userName = entry.uname;
    if (changed(this.#groups, entry.gid, entry.gname)) draft.groupName = entry.gname;
    if (type === 'char' || type === 'block') {
      draft.devMajor = entry.devmajor;
      draft.devMinor = entry.devminor;
    }
    const xattrs = xattrsOf(entry);
    if (xattrs.size > 0) draft.xattrs = xattrs;
    return draft;
  }
}

/** Extended attributes, from the PAX records `SCHILY.xattr.*`; the entry's own go before global ones. */
export function xattrsOf(entry: TarEntry): ReadonlyMap<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>();
  for (const records of [entry.globals, entry.pax]) {
    for (const [keyword, value] of records) {
      if (keyword.startsWith(xattrPrefix)) xattrs.set(keyword.slice(xattrPrefix.length), value);
    }
  }
  return xattrs;
}

/** A time as a TOC has it: RFC 3339, UTC, rounded to seconds; '' within the first second of 1970, undefined beyond the years 0 to 9999. */
export function timeText(seconds: number): string | undefined {
  // Not after rounding: Go leaves out what it takes for no time at all, and looks at the whole seconds.
  if (Math.floor(seconds) === 0) return '';
  const rounded = Math.floor(seconds + 0.5);
  if (rounded < firstTime || rounded > lastTime) return undefined;
  return `${new Date(rounded * 1000).toISOString().slice(0, 19)}Z`;
}

function changed(known: Map<number, string>, id: number, name: string): boolean {
  if (name === '' || known.get(id) === name) return false;
  known.set(id, name);
  return true;
}

function isLossy(text: string, bytes: Uint8Array): boolean {
  return text.includes('\ufffd') && decodeExact(bytes) === undefined;
}
