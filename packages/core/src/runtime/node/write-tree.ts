import { linkSync, lstatSync, readlinkSync, symlinkSync } from 'node:fs';
import { OciTarError } from '../../errors.ts';
import { Turns } from '../turns.ts';
import { defaultWriteLimits } from '../tree-writer.ts';
import type { WriteEntry, WriteLimits, WriteReport, WriteTreeOptions } from '../tree-writer.ts';
import { errnoOf, mapErrno } from './errno.ts';
import { Owners, attributesOf } from './tree-writer/attributes.ts';
import type { Attributes } from './tree-writer/attributes.ts';
import { Directories, hasHandles, inTheWay } from './tree-writer/directories.ts';
import type { Directory } from './tree-writer/directories.ts';
import { writeFileAt } from './tree-writer/files.ts';
import { checkNoWhiteout, nameOf, parentOf, shownPath, textOf, treePath, unsafe } from './tree-writer/names.ts';
import type { TreePath } from './tree-writer/names.ts';
import { removeTree } from './tree-writer/remove.ts';
import { Specials } from './tree-writer/specials.ts';
import { openTarget } from './tree-writer/target.ts';
import { Xattrs } from './tree-writer/xattrs.ts';

/**
 * Writes a tree of files as a new directory, which appears whole, when the last entry is written, or not at all. Nothing outside of it is
 * written, linked to or changed, whatever the entries say and whatever other processes do meanwhile; nothing that is there is followed or
 * replaced. Nothing is synced to the disk: that is left to the system.
 *
 * CONFLICT where the target is there and not an empty directory, where a name comes twice and where another process interferes. UNSAFE_PATH
 * for names with `..` or NUL, for what would lead through a symbolic link, for whiteouts. LIMIT_EXCEEDED, SIZE_MISMATCH, INVALID_TAR
 * for a hardlink to nothing, UNSUPPORTED for a sparse file's pieces, and what the file system says: NO_SPACE, FORBIDDEN, READ_ONLY.
 */
export async function writeTree(entries: AsyncIterable<WriteEntry>, target: string, options: WriteTreeOptions = {}): Promise<WriteReport> {
  const handles = options.handles !== false && hasHandles();
  const place = openTarget(target, handles);
  try {
    const directories = new Directories<Attributes>(place.place, handles);
    try {
      const writer = new TreeWriter(directories, options, handles);
      for await (const entry of entries) await writer.add(entry);
      const report = await writer.end();
      place.commit(directories.root);
      return report;
    } catch (error) {
      directories.close();
      await removeTree(place.place, directories.root, handles);
      throw mapErrno(error, target);
    } finally {
      directories.close();
    }
  } finally {
    place.close();
  }
}

class TreeWriter {
  readonly #directories: Directories<Attributes>;
  readonly #owners: Owners;
  readonly #specials: Specials;
  readonly #xattrs: Xattrs;
  readonly #limits: WriteLimits;
  readonly #options: WriteTreeOptions;
  readonly #guardedBy: WriteReport['guardedBy'];
  readonly #turns = new Turns();
  /** Not there, so that a hardlink to it is left out too. */
  readonly #leftOut = new Set<TreePath>();
  readonly #counts = { entries: 0, files: 0, symlinks: 0, hardlinks: 0, bytes: 0 };

  constructor(directories: Directories<Attributes>, options: WriteTreeOptions, handles: boolean) {
    this.#directories = directories;
    this.#options = options;
    this.#limits = { ...defaultWriteLimits, ...options.limits };
    this.#guardedBy = handles ? 'handles' : 'checks';
    this.#owners = new Owners(options.rootless ?? process.geteuid?.() !== 0);
    this.#specials = new Specials(directories, this.#owners, handles);
    this.#xattrs = new Xattrs(directories, this.#owners, handles);
  }

  async add(entry: WriteEntry): Promise<void> {
    this.#options.signal?.throwIfAborted();
    await this.#turns.rest();
    this.#counts.entries += 1;
    if (this.#counts.entries > this.#limits.entries) throw tooMuch(`there are more than ${this.#limits.entries} entries`, this.#limits.entries);
    const path = treePath(entry.path, entry.pathBytes);
    try {
      await this.#write(entry, path);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw inTheWay(path, false);
      throw mapErrno(error, textOf(path));
    }
    this.#directories.trim();
  }

  async end(): Promise<WriteReport> {
    await this.#specials.make();
    await this.#xattrs.set();
    const all = this.#directories.all();
    // What is in a directory changes its time, and its mode may keep even us from going through it.
    for (let at = all.length - 1; at >= 0; at -= 1) {
      this.#options.signal?.throwIfAborted();
      await this.#turns.rest();
      const directory = all[at];
      if (directory !== undefined) this.#finish(directory);
      this.#directories.trim();
    }
    const leftOut = this.#owners.report();
    return { ...this.#counts, directories: all.length - 1, specials: this.#specials.made, leftOut, guardedBy: this.#guardedBy };
  }

  async #write(entry: WriteEntry, path: TreePath): Promise<void> {
    if (entry.type === 'directory') {
      const directory = this.#directories.need(path);
      directory.attributes = attributesOf(entry);
      return this.#xattrs.add(entry, path, directory.parent ?? directory);
    }
    if (path === '') throw unsafe(path, `is the root, which cannot be a ${entry.type}`);
    checkNoWhiteout(path);
    if (this.#directories.get(path) !== undefined || this.#specials.has(path) || this.#leftOut.has(path)) throw inTheWay(path, false);
    const parent = this.#directories.need(parentOf(path));
    if (entry.type === 'hardlink') return this.#link(entry, path, parent);
    if (!(await this.#make(entry, path, parent))) return void this.#leftOut.add(path);
    await this.#xattrs.add(entry, path, parent);
  }

  /** Returns false for what is left out. */
  async #make(entry: WriteEntry, path: TreePath, parent: Directory<Attributes>): Promise<boolean> {
    const attributes = attributesOf(entry);
    if (entry.type === 'file') {
      await this.#file(entry, path, parent, attributes);
      return true;
    }
    if (entry.type === 'symlink') {
      const place = this.#directories.at(parent, nameOf(path));
      symlinkSync(entry.linknameBytes === undefined ? (entry.linkname ?? '') : Buffer.from(entry.linknameBytes), place);
      this.#owners.ofLink(this.#directories.at(parent, nameOf(path)), attributes, path);
      this.#counts.symlinks += 1;
      return true;
    }
    if (entry.type !== 'other') return this.#specials.add(entry, path, parent, attributes);
    this.#owners.leave('type', path);
    return false;
  }

  async #file(entry: WriteEntry, path: TreePath, parent: Directory<Attributes>, attributes: Attributes): Promise<void> {
    if (entry.sparse !== undefined) throw new OciTarError('UNSUPPORTED', `${shownPath(path)} comes as the pieces of a sparse file`, { subject: textOf(path) });
    const { fileSize, size: total } = this.#limits;
    const size = sizeOf(entry);
    if (size > fileSize) throw tooMuch(`${shownPath(path)} has ${size} bytes, more than the ${fileSize} of one file`, fileSize, path);
    if (size > total - this.#counts.bytes) throw tooMuch(`the files have more than ${total} bytes together`, total, path);
    const onBytes = (count: number) => {
      this.#options.signal?.throwIfAborted();
      this.#options.onBytes?.(count);
    };
    await writeFileAt(this.#directories.at(parent, nameOf(path)), entry.data, size, path, onBytes, (handle) => this.#owners.ofHandle(handle, attributes, path));
    this.#counts.files += 1;
    this.#counts.bytes += size;
  }

  /** One more name of a file that this process has made; what belongs to the file has been said by its own entry. */
  async #link(entry: WriteEntry, path: TreePath, parent: Directory<Attributes>): Promise<void> {
    const to = treePath(entry.linkname ?? '', entry.linknameBytes);
    if (this.#specials.has(to)) await this.#specials.make();
    if (this.#leftOut.has(to) || this.#specials.missing.has(to)) {
      this.#leftOut.add(path);
      return this.#owners.leave('type', path);
    }
    const from = this.#directories.get(parentOf(to));
    const invalid = (why: string) => new OciTarError('INVALID_TAR', `${shownPath(path)} is a hardlink to ${shownPath(to)}, ${why}`, { subject: textOf(path) });
    if (this.#directories.get(to) !== undefined) throw invalid('which is a directory');
    if (from === undefined) {
      if (this.#throughLink(to)) throw unsafe(to, `is what the hardlink ${shownPath(path)} leads to through a symbolic link`);
      throw invalid('which has not come before it');
    }
    try {
      this.#linkTo(() => this.#directories.at(from, nameOf(to)), () => this.#directories.at(parent, nameOf(path)));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw invalid('which has not come before it');
      throw error;
    }
    this.#counts.hardlinks += 1;
  }

  /** link(2) of Linux gives a symbolic link a second name; other systems follow it, so that it is made once more. */
  #linkTo(from: () => string | Buffer, to: () => string | Buffer): void {
    const there = this.#guardedBy === 'handles' ? undefined : lstatSync(from());
    if (there?.isSymbolicLink() === true) symlinkSync(readlinkSync(from(), { encoding: 'buffer' }), to());
    else linkSync(from(), to());
  }

  /** Whether one of the directories above is a symbolic link that an entry has made. */
  #throughLink(path: TreePath): boolean {
    let above = parentOf(path);
    while (this.#directories.get(parentOf(above)) === undefined) above = parentOf(above);
    const directory = this.#directories.get(parentOf(above));
    return directory !== undefined && lstatSync(this.#directories.at(directory, nameOf(above)), { throwIfNoEntry: false })?.isSymbolicLink() === true;
  }

  #finish(directory: Directory<Attributes>): void {
    const attributes = directory.attributes ?? this.#owners.impliedDirectory;
    this.#directories.confirm(directory);
    if (this.#guardedBy === 'handles') return this.#owners.ofHandle(this.#directories.handle(directory), attributes, directory.path);
    this.#owners.ofPath(this.#directories.at(directory, '.'), attributes, directory.path);
  }
}

function sizeOf({ size, data }: WriteEntry): number {
  return size ?? (data instanceof Uint8Array ? data.byteLength : 0);
}

function tooMuch(message: string, limit: number, path?: TreePath): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', message, { limit, hint: 'Raise the limit if this content is to be trusted.', ...(path === undefined ? {} : { subject: textOf(path) }) });
}
