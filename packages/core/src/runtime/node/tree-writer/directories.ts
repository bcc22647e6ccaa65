import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { OciTarError } from '../../../errors.ts';
import { errnoOf } from '../errno.ts';
import { nameOf, parentOf, shownPath, systemPath, textOf, unsafe } from './names.ts';
import type { TreePath } from './names.ts';

/** A directory that this process has made. */
export interface Directory<T> {
  readonly path: TreePath;
  readonly parent: Directory<T> | undefined;
  /** What its entry says of it; undefined as long as it is only implied by what is in it. */
  attributes: T | undefined;
  /** Which one it was when it was made. */
  readonly dev: bigint;
  readonly ino: bigint;
  handle: number | undefined;
}

/** Directories that are held open from one entry to the next. */
const mostOpen = 128;

const openFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * The directories below a root, all made here. A name in one of them is reached through an open handle of it
 * (`/proc/self/fd/N/name`, which on Linux is what openat is elsewhere), so that no other process can put a link into the way between
 * a look and a use. Where there are no such handles each directory above is looked at before each use: only nearly as good.
 */
export class Directories<T> {
  readonly root: Directory<T>;
  readonly #place: string;
  readonly #handles: boolean;
  readonly #known = new Map<TreePath, Directory<T>>();
  /** Those with an open handle, the one that was used last at the end. */
  readonly #open = new Set<Directory<T>>();
  #last: Directory<T> | undefined;

  /** `place`: an absolute path of a directory that was just made. `handles`: as `hasHandles` says. */
  constructor(place: string, handles: boolean) {
    this.#place = place;
    this.#handles = handles;
    const handle = handles ? openSync(place, openFlags) : undefined;
    const stats = handle === undefined ? lstatSync(place, { bigint: true }) : fstatSync(handle, { bigint: true });
    this.root = { path: '', parent: undefined, attributes: undefined, dev: stats.dev, ino: stats.ino, handle };
    this.#known.set('', this.root);
  }

  get(path: TreePath): Directory<T> | undefined {
    return this.#known.get(path);
  }

  /** All of them; each after the one that it is in. */
  all(): readonly Directory<T>[] {
    return [...this.#known.values()];
  }

  /** The directory of this path; it and those above it are made where they are not there. */
  need(path: TreePath): Directory<T> {
    const missing: TreePath[] = [];
    let above = path;
    for (let found = this.#known.get(above); ; found = this.#known.get(above)) {
      if (found !== undefined) {
        return missing.reduceRight((parent, child) => this.#make(parent, child), found);
      }
      missing.push(above);
      above = parentOf(above);
    }
  }

  /** Where something in a directory is, for a system call that does not follow a link at its end; good until the next `trim`. CONFLICT where the directory was replaced. */
  at(directory: Directory<T>, name: string): string | Buffer {
    if (!this.#handles) {
      this.#look(directory);
      return systemPath(`${this.#place}/`, directory.path === '' ? name : `${directory.path}/${name}`);
    }
    return systemPath(`/proc/self/fd/${this.handle(directory)}/`, name);
  }

  /** The open handle of a directory, good until the next `trim`. Only where there are handles. */
  handle(directory: Directory<T>): number {
    const { handle } = directory;
    if (handle === undefined) return this.#reopen(directory);
    if (directory !== this.#last && directory.parent !== undefined) {
      this.#open.delete(directory);
      this.#open.add(directory);
      this.#last = directory;
    }
    return handle;
  }

  /** Throws CONFLICT where the name of a directory no longer leads to it. */
  confirm(directory: Directory<T>): void {
    if (directory.parent === undefined) return;
    const stats = lstatSync(this.at(directory.parent, nameOf(directory.path)), { bigint: true, throwIfNoEntry: false });
    if (stats?.ino !== directory.ino || stats.dev !== directory.dev) throw replaced(directory.path);
  }

  /** Closes what has not been used for long. Between two entries, since one may need several directories, each by all above it. */
  trim(): void {
    while (this.#open.size > mostOpen) {
      const [oldest] = this.#open;
      if (oldest !== undefined) this.#shut(oldest);
    }
  }

  close(): void {
    for (const directory of this.#open) this.#shut(directory);
    this.#shut(this.root);
  }

  #make(parent: Directory<T>, path: TreePath): Directory<T> {
    const place = this.at(parent, nameOf(path));
    try {
      // For nobody else until it is whole, and for the owner with all rights, whatever its mode will be.
      mkdirSync(place, 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      throw inTheWay(path, lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() === true);
    }
    return this.#remember(path, parent, place);
  }

  #remember(path: TreePath, parent: Directory<T>, place: string | Buffer): Directory<T> {
    const { stats, handle } = this.#opened(path, place);
    const directory: Directory<T> = { path, parent, attributes: undefined, dev: stats.dev, ino: stats.ino, handle };
    this.#known.set(path, directory);
    this.#hold(directory);
    return directory;
  }

  #reopen(directory: Directory<T>): number {
    const { path, parent } = directory;
    if (parent === undefined) throw new OciTarError('CONFLICT', `${this.#place} was closed while it was written to`, { subject: this.#place });
    const { stats, handle } = this.#opened(path, this.at(parent, nameOf(path)));
    if (handle === undefined || stats.ino !== directory.ino || stats.dev !== directory.dev) {
      if (handle !== undefined) closeSync(handle);
      throw replaced(path);
    }
    directory.handle = handle;
    this.#hold(directory);
    return handle;
  }

  #opened(path: TreePath, place: string | Buffer): { readonly stats: BigIntStats; readonly handle: number | undefined } {
    try {
      if (this.#handles) {
        const handle = openSync(place, openFlags);
        return { stats: fstatSync(handle, { bigint: true }), handle };
      }
      const stats = lstatSync(place, { bigint: true });
      if (stats.isDirectory()) return { stats, handle: undefined };
    } catch (error) {
      if (!gone.has(errnoOf(error) ?? '')) throw error;
    }
    throw replaced(path);
  }

  /** Every directory from the root on is still the one that was made. */
  #look(directory: Directory<T>): void {
    for (let at: Directory<T> | undefined = directory; at !== undefined; at = at.parent) {
      const stats = lstatSync(at.path === '' ? this.#place : systemPath(`${this.#place}/`, at.path), { bigint: true, throwIfNoEntry: false });
      if (stats?.isDirectory() !== true || stats.ino !== at.ino || stats.dev !== at.dev) throw replaced(at.path);
    }
  }

  #hold(directory: Directory<T>): void {
    if (directory.handle === undefined) return;
    this.#open.add(directory);
    this.#last = directory;
  }

  #shut(directory: Directory<T>): void {
    this.#open.delete(directory);
    if (this.#last === directory) this.#last = undefined;
    if (directory.handle === undefined) return;
    closeSync(directory.handle);
    directory.handle = undefined;
  }
}

const gone = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

function replaced(path: TreePath): OciTarError {
  return new OciTarError('CONFLICT', `the directory ${shownPath(path)} was replaced by another process while it was written to`, { side: 'target', subject: textOf(path) });
}

/** The error for a name that is taken. */
export function inTheWay(path: TreePath, symlink: boolean): OciTarError {
  if (symlink) return unsafe(path, 'is a symbolic link already, which is not followed');
  const hint = 'Names that differ only in case are one name to some file systems; else the archive has it twice, or another process made it.';
  return new OciTarError('CONFLICT', `${shownPath(path)} is there already`, { side: 'target', subject: textOf(path), hint });
}

/** Whether this system reaches a name in an open directory by the directory's handle. */
export function hasHandles(): boolean {
  if (process.platform !== 'linux') return false;
  let handle: number | undefined;
  try {
    handle = openSync('/', openFlags);
    const [direct, through] = [lstatSync('/', { bigint: true }), lstatSync(`/proc/self/fd/${handle}/.`, { bigint: true })];
    return direct.ino === through.ino && direct.dev === through.dev;
  } catch {
    return false;
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
