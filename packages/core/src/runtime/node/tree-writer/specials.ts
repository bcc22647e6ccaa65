import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { WriteEntry } from '../../tree-writer.ts';
import type { Attributes, Owners } from './attributes.ts';
import type { Directories, Directory } from './directories.ts';
import { inTheWay } from './directories.ts';
import { runHelper } from './helper.ts';
import { nameOf, shownPath, textOf } from './names.ts';
import type { TreePath } from './names.ts';
import { OciTarError } from '../../../errors.ts';

/** O_PATH of Linux, which Node has no name for: a handle of a file that is not opened, so that a device is not touched. */
export const oPath = 0o10_000_000;

interface Special {
  readonly path: TreePath;
  readonly directory: Directory<Attributes>;
  readonly type: WriteEntry['type'];
  readonly major: number;
  readonly minor: number;
  readonly attributes: Attributes;
}

/** Directories and files that one call of a program is given. */
const mostDirectories = 48;
const mostNodes = 512;

/** Linux has 12 bits for the one and 20 for the other. */
const highestMajor = 0xfff;
const highestMinor = 0xfffff;

/**
 * Devices and fifos. Node cannot make them, so they are collected and made by `mknod` and `mkfifo` of the system, many at a time. The
 * programs are handed our open directories and told names in those. What cannot be made is left out and accounted for.
 */
export class Specials {
  readonly #directories: Directories<Attributes>;
  readonly #owners: Owners;
  readonly #possible: boolean;
  #waiting: Special[] = [];
  readonly #paths = new Set<TreePath>();
  /** What could not be made after all. */
  readonly missing = new Set<TreePath>();
  made = 0;

  /** `possible`: whether directories have handles that a program can be given. */
  constructor(directories: Directories<Attributes>, owners: Owners, possible: boolean) {
    this.#directories = directories;
    this.#owners = owners;
    this.#possible = possible;
  }

  /** Returns false for one that is left out. */
  async add(entry: WriteEntry, path: TreePath, directory: Directory<Attributes>, attributes: Attributes): Promise<boolean> {
    if (this.#paths.has(path) || lstatSync(this.#directories.at(directory, nameOf(path)), { throwIfNoEntry: false }) !== undefined) throw inTheWay(path, false);
    const { type, devmajor: major = 0, devminor: minor = 0 } = entry;
    const numbered = type === 'fifo' || (major <= highestMajor && minor <= highestMinor);
    if (!this.#possible || !numbered || (type !== 'fifo' && this.#owners.rootless)) {
      this.#owners.leave(type === 'fifo' ? 'fifo' : 'device', path);
      return false;
    }
    this.#waiting.push({ path, directory, type, major, minor, attributes });
    this.#paths.add(path);
    // A name that is waiting must not be had by another entry meanwhile, so there are never many.
    if (this.#waiting.length >= mostNodes) await this.make();
    return true;
  }

  /** Whether something of this name has yet to be made. */
  has(path: TreePath): boolean {
    return this.#paths.has(path);
  }

  async make(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#paths.clear();
    for (const batch of byDirectories(waiting)) {
      const fifos = batch.filter(({ type }) => type === 'fifo');
      const devices = batch.filter(({ type }) => type !== 'fifo');
      await this.#run(['mkfifo'], fifos, (place) => [place]);
      await this.#run(['-n', '4', 'mknod'], devices, (place, { type, major, minor }) => [place, type === 'block-device' ? 'b' : 'c', `${major}`, `${minor}`]);
      for (const special of batch) this.#finish(special);
    }
  }

  async #run(command: readonly string[], batch: readonly Special[], words: (place: string, special: Special) => readonly string[]): Promise<void> {
    if (batch.length === 0) return;
    await runHelper('xargs', ['-0', ...command], (place) => {
      const all = batch.flatMap((special) => words(place(this.#directories.handle(special.directory), nameOf(special.path)), special));
      return Buffer.from(all.map((word) => `${word}\0`).join(''), 'latin1');
    });
  }

  /** What was made, and nothing else, gets its owner, mode and time: by a handle, so that it cannot be something else by then. */
  #finish({ path, directory, type, major, minor, attributes }: Special): void {
    const place = this.#directories.at(directory, nameOf(path));
    if (lstatSync(place, { throwIfNoEntry: false }) === undefined) {
      this.missing.add(path);
      return this.#owners.leave(type === 'fifo' ? 'fifo' : 'device', path);
    }
    const handle = openSync(place, oPath | constants.O_NOFOLLOW);
    try {
      if (!isSpecial(fstatSync(handle), type, major, minor)) {
        throw new OciTarError('CONFLICT', `${shownPath(path)} was replaced by another process while it was written`, { side: 'target', subject: textOf(path) });
      }
      this.#owners.ofPath(`/proc/self/fd/${handle}`, attributes, path);
      this.made += 1;
    } finally {
      closeSync(handle);
    }
  }
}

function isSpecial(stats: Stats, type: WriteEntry['type'], major: number, minor: number): boolean {
  if (type === 'fifo') return stats.isFIFO();
  // makedev(3) with 12 and 20 bits.
  const device = major * 256 + (minor & 0xff) + (minor >>> 8) * 2 ** 20;
  return (type === 'block-device' ? stats.isBlockDevice() : stats.isCharacterDevice()) && stats.rdev === device;
}

/** As many at a time as one program can be given directories for. */
export function* byDirectories<T extends { readonly directory: Directory<Attributes> }>(items: readonly T[]): Generator<readonly T[], void, void> {
  let batch: T[] = [];
  let directories = new Set<Directory<Attributes>>();
  for (const item of items) {
    if (batch.length >= mostNodes || (directories.size >= mostDirectories && !directories.has(item.directory))) {
      yield batch;
      batch = [];
      directories = new Set();
    }
    batch.push(item);
    directories.add(item.directory);
  }
  if (batch.length > 0) yield batch;
}
