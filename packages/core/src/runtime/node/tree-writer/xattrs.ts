import type { WriteEntry } from '../../tree-writer.ts';
import type { Attributes, Owners } from './attributes.ts';
import type { Directories, Directory } from './directories.ts';
import { runHelper } from './helper.ts';
import { nameOf } from './names.ts';
import type { TreePath } from './names.ts';
import { byDirectories } from './specials.ts';

const keyword = 'SCHILY.xattr.';

/** What a layer may not say of the files of this machine: overlayfs would follow its own, and labels and measures are those of the system. */
const notOurs = /^(?:(?:trusted|user)\.overlay\.|security\.(?:selinux|ima|evm|apparmor|SMACK))/i;

/** Linux takes 255 bytes for a name and 64 KiB for a value. */
const fitting = /^[\u0021-\u007e]{1,255}$/;
const longestValue = 65_536;
/** Kept before they are written. */
const mostWaiting = 4096;
const mostBytes = 4 * 1024 * 1024;

interface Waiting {
  readonly path: TreePath;
  /** The directory that it is in; the root for the root itself. */
  readonly directory: Directory<Attributes>;
  readonly attributes: readonly (readonly [name: string, value: Uint8Array])[];
}

/**
 * Extended attributes. Node cannot set them, so they are collected and set by `setfattr` of the system, many files at a time, never
 * through a link. What cannot be set is accounted for.
 */
export class Xattrs {
  readonly #directories: Directories<Attributes>;
  readonly #owners: Owners;
  readonly #possible: boolean;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #found = true;

  constructor(directories: Directories<Attributes>, owners: Owners, possible: boolean) {
    this.#directories = directories;
    this.#owners = owners;
    this.#possible = possible;
  }

  async add({ pax, globals }: WriteEntry, path: TreePath, directory: Directory<Attributes>): Promise<void> {
    if ((pax === undefined || pax.size === 0) && (globals === undefined || globals.size === 0)) return;
    const wanted = new Map<string, Uint8Array>();
    for (const records of [globals, pax]) for (const [key, value] of records ?? []) if (key.startsWith(keyword)) wanted.set(key.slice(keyword.length), value);
    const kept = [...wanted].filter(([name, value]) => this.#possible && !notOurs.test(name) && fitting.test(name) && value.byteLength <= longestValue);
    if (kept.length < wanted.size) this.#owners.leave('xattr', path, wanted.size - kept.length);
    if (kept.length === 0) return;
    this.#waiting.push({ path, directory, attributes: kept });
    this.#bytes += kept.reduce((sum, [, value]) => sum + value.byteLength, 0);
    if (this.#waiting.length >= mostWaiting || this.#bytes >= mostBytes) await this.set();
  }

  async set(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    for (const batch of byDirectories(waiting)) await this.#setAll(batch);
  }

  async #setAll(batch: readonly Waiting[]): Promise<void> {
    const items = new Map<string, Waiting>();
    const result = this.#found
      ? await runHelper('setfattr', ['-h', '--restore=-'], (place) => {
          let dump = '';
          for (const item of batch) {
            const at = place(this.#directories.handle(item.directory), item.path === '' ? '.' : nameOf(item.path));
            items.set(at, item);
            const lines = item.attributes.map(([name, value]) => `${quoted(name)}=0x${Buffer.from(value).toString('hex')}\n`);
            dump += `# file: ${quoted(at)}\n${lines.join('')}\n`;
          }
          return Buffer.from(dump, 'latin1');
        })
      : { found: false, ok: false, complaints: '' };
    this.#found = result.found;
    if (result.ok) return;
    const failed = new Map<Waiting, number>();
    // setfattr: /proc/self/fd/3/name: Operation not supported
    for (const [, place = ''] of result.complaints.matchAll(/^setfattr: (.*): [^:\n]*$/gm)) {
      const item = items.get(place) ?? items.get(unquoted(place));
      if (item !== undefined) failed.set(item, (failed.get(item) ?? 0) + 1);
    }
    // It is not known which: all of them, rather than none.
    if (failed.size === 0) for (const item of batch) failed.set(item, item.attributes.length);
    for (const [{ path }, count] of failed) this.#owners.leave('xattr', path, count);
  }
}

/** As `getfattr --dump` writes a name: a backslash and three octal digits for what could be taken for something else. */
function quoted(name: string): string {
  return name.replace(/[^\u0021-\u007e]|[\\=]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function unquoted(name: string): string {
  return name.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
