import type { TarEntry, TarType } from '../tar/entry.ts';
import { encodePax, noRecords, parsePax } from '../tar/pax.ts';
import type { PaxRecords } from '../tar/pax.ts';
import { grown } from './columns.ts';
import { bytesOfPath, byteString } from './path.ts';

/** The fields of a header, without its name. */
export interface HeaderFields {
  readonly type: TarType;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname: string;
  readonly gname: string;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** A character a byte. */
  readonly linkname: string;
  readonly devmajor: number;
  readonly devminor: number;
}

/** What a header says, without its name. */
export interface Attributes extends HeaderFields {
  /** What the fields do not say, the global ones among them; `mtime` is there where it has more digits than a number. */
  readonly pax: PaxRecords;
  /** None: they are in `pax`. */
  readonly globals: PaxRecords;
}

const types: readonly TarType[] = ['file', 'hardlink', 'symlink', 'character-device', 'block-device', 'directory', 'fifo', 'other'];

/** Records that the fields speak for, and those that say where in a layer a sparse file's data is. */
const spokenFor = new Set(['path', 'linkpath', 'size', 'uid', 'gid', 'uname', 'gname']);

/** What tar headers can hold of a mode: seven octal digits. */
const modeMask = 0o7777777;

interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly uname: string;
  readonly gname: string;
}

/** The attributes of many entries in about 25 bytes each; what few entries have is beside. */
export class AttributeTable {
  #types = new Uint8Array(64);
  #sizes = new Float64Array(64);
  #modes = new Int32Array(64);
  #mtimes = new Float64Array(64);
  #ownerOf = new Int32Array(64);
  readonly #owners: Owner[] = [];
  readonly #ownerIds = new Map<string, number>();
  readonly #links = new Map<number, string>();
  readonly #devices = new Map<number, { readonly devmajor: number; readonly devminor: number }>();
  readonly #pax = new Map<number, string>();
  /** Many entries have the same records, such as a capability or a label of SELinux. */
  readonly #paxTexts = new Map<string, string>();
  readonly #hold: (bytes: number) => void;
  #lastOwner: Owner | undefined;
  #lastOwnerId = 0;
  length = 0;

  /** `hold` is told of the bytes of names and records that are kept. */
  constructor(hold: (bytes: number) => void) {
    this.#hold = hold;
  }

  /** Returns the number of the row. */
  add(entry: TarEntry): number {
    const row = this.length;
    if (row === this.#types.length) this.#grow(row + 1);
    this.length += 1;
    this.#types[row] = types.indexOf(entry.type);
    this.#sizes[row] = entry.type === 'file' ? (entry.sparse?.realSize ?? entry.size) : 0;
    this.#modes[row] = entry.mode % (modeMask + 1);
    this.#mtimes[row] = entry.mtime;
    this.#ownerOf[row] = this.#owner(entry);
    if (entry.linknameBytes.length > 0 && entry.type === 'symlink') this.#links.set(row, this.#held(byteString(entry.linknameBytes)));
    if (entry.devmajor !== 0 || entry.devminor !== 0) this.#devices.set(row, { devmajor: entry.devmajor, devminor: entry.devminor });
    if (entry.pax.size > 0 || entry.globals.size > 0) this.#addPax(row, entry);
    return row;
  }

  get(row: number): Attributes {
    const owner = this.#owners[this.#ownerOf[row] ?? 0];
    const device = this.#devices.get(row);
    const pax = this.#pax.get(row);
    return {
      type: types[this.#types[row] ?? 0] ?? 'other',
      size: this.#sizes[row] ?? 0,
      mode: this.#modes[row] ?? 0,
      uid: owner?.uid ?? 0,
      gid: owner?.gid ?? 0,
      uname: owner?.uname ?? '',
      gname: owner?.gname ?? '',
      mtime: this.#mtimes[row] ?? 0,
      linkname: this.#links.get(row) ?? '',
      devmajor: device?.devmajor ?? 0,
      devminor: device?.devminor ?? 0,
      pax: pax === undefined ? noRecords : parsePax(bytesOfPath(pax)),
      globals: noRecords,
    };
  }

  #owner({ uid, gid, uname, gname }: TarEntry): number {
    const last = this.#lastOwner;
    if (last !== undefined && last.uid === uid && last.gid === gid && last.uname === uname && last.gname === gname) return this.#lastOwnerId;
    const key = `${uid} ${gid} ${uname}\0${gname}`;
    let id = this.#ownerIds.get(key);
    if (id === undefined) {
      id = this.#owners.length;
      this.#hold(key.length);
      this.#owners.push({ uid, gid, uname, gname });
      this.#ownerIds.set(key, id);
    }
    this.#lastOwner = this.#owners[id];
    this.#lastOwnerId = id;
    return id;
  }

  #addPax(row: number, { pax, globals, mtime }: TarEntry): void {
    const kept = new Map<string, Uint8Array>();
    for (const records of [globals, pax]) {
      for (const [keyword, value] of records) {
        if (spokenFor.has(keyword) || keyword.startsWith('GNU.sparse.') || (keyword === 'mtime' && Number.isInteger(mtime))) continue;
        // A record of no length takes the global one back.
        if (value.length === 0 && globals.has(keyword)) kept.delete(keyword);
        else kept.set(keyword, value);
      }
    }
    if (kept.size === 0) return;
    const text = byteString(encodePax(kept));
    let shared = this.#paxTexts.get(text);
    if (shared === undefined) {
      shared = this.#held(text);
      this.#paxTexts.set(shared, shared);
    }
    this.#pax.set(row, shared);
  }

  #held(text: string): string {
    this.#hold(text.length);
    return text;
  }

  #grow(needed: number): void {
    this.#types = grown(this.#types, needed);
    this.#sizes = grown(this.#sizes, needed);
    this.#modes = grown(this.#modes, needed);
    this.#mtimes = grown(this.#mtimes, needed);
    this.#ownerOf = grown(this.#ownerOf, needed);
  }
}
