import { constants, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats, Dirent } from 'node:fs';
import { basename } from 'node:path';
import { OciTarError } from '../../errors.ts';
import { xattrRecords } from '../tree.ts';
import type { TreeEntry, TreeOptions, WalkOptions } from '../tree.ts';
import { Turns } from '../turns.ts';
import { changed, holdFile, releaseFile, treeFile } from './tree-file.ts';
import type { HeldFile } from './tree-file.ts';

// Paths are kept as strings of one character a byte (`latin1`): exact whatever the name, compact, and in order of their bytes.
// Calls are synchronous: on a local disk each takes about 5 us, a round trip to the thread pool 100.

/**
 * The entries below a directory (without the directory itself), each directory before what is in it, sorted by the
 * bytes of their paths. Symlinks are entries, never followed; names of one file after the first are hardlinks.
 * NOT_FOUND or INVALID_ARGUMENT where the root is no directory. Memory: the names in the directories from the root to
 * the entry, and the paths of files that have several names.
 */
export function walkTree(root: string, options: TreeOptions = {}): AsyncGenerator<TreeEntry, void, void> {
  return walked(root, options, (stats) => {
    if (!stats.isDirectory()) throw new OciTarError('INVALID_ARGUMENT', `${root} is not a directory`, { subject: root });
    return '';
  });
}

/**
 * The entries of what is at `path` on disk, as `name` in the archive: a file (or whatever else it is) alone, a directory with
 * all that is below it. An empty name leaves a directory itself out, so that what it holds is at the top. By default a
 * directory has the empty name, anything else its own. A name has no slash at its end. NOT_FOUND; INVALID_ARGUMENT for an
 * empty name of what is no directory.
 */
export function walkPath(path: string, name: string | undefined, options: WalkOptions = {}): AsyncGenerator<TreeEntry, void, void> {
  return walked(path, options, (stats) => {
    const inArchive = latin1(name ?? (stats.isDirectory() ? '' : basename(path)));
    if (stats.isDirectory()) return inArchive === '' ? '' : `${inArchive}/`;
    if (inArchive !== '') return inArchive;
    throw new OciTarError('INVALID_ARGUMENT', `${path} is not a directory, so it needs a name in the archive`, { subject: path });
  });
}

type Walk = TreeOptions & { readonly links: Map<string, Uint8Array> };

interface Found {
  /** Where it is on disk. */
  readonly place: string;
  /** Its path in the tree; a directory's ends in a slash. */
  readonly path: string;
}

/** A directory that is being walked. */
interface Level extends Found {
  /** Directories with their slash, so that siblings in order give the whole tree in order. */
  readonly names: readonly string[];
  /** The names of what is neither a directory nor a plain file. */
  readonly special: ReadonlySet<string>;
  next: number;
}

/** One generator does it all: each that stood between would cost 20,000 files some 20 ms. */
async function* walked(root: string, options: WalkOptions, nameOf: (stats: BigIntStats) => string): AsyncGenerator<TreeEntry, void, void> {
  const walk: Walk = { ...options, links: options.links ?? new Map<string, Uint8Array>() };
  const rootEntry = rootStats(root);
  const top = { place: latin1(root), path: nameOf(rootEntry) };
  if (top.path !== '' && isPackable(top, rootEntry, walk)) {
    const entry = await withXattrs(toEntry(top, rootEntry, walk), top, walk);
    walk.onEntry?.(entry);
    yield entry;
  }
  // An own stack, because a tree may be deeper than the call stack.
  const levels: Level[] = rootEntry.isDirectory() ? [levelOf(top.place, top.path)] : [];
  const turns = new Turns();
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.names[level.next++];
    if (name === undefined) {
      levels.pop();
      continue;
    }
    walk.signal?.throwIfAborted();
    const found = { place: `${level.place}/${name}`, path: level.path + name };
    const held = name.endsWith('/') || level.special.has(name) ? undefined : holdFile(onDisk(found.place));
    let isDirectory: boolean;
    try {
      const stats = held?.stats ?? statsOf(found);
      isDirectory = held === undefined && stats.isDirectory();
      if (held !== undefined || isPackable(found, stats, walk)) {
        const plain = toEntry(found, stats, walk, held);
        const entry = walk.xattrs === undefined ? plain : await withXattrs(plain, found, walk);
        walk.onEntry?.(entry);
        yield entry;
      }
    } finally {
      if (held !== undefined) releaseFile(held);
    }
    if (isDirectory) levels.push(levelOf(found.place.slice(0, -1), found.path));
    const rest = turns.rest();
    if (rest !== undefined) await rest;
  }
}

async function withXattrs(entry: TreeEntry, { place }: Found, walk: Walk): Promise<TreeEntry> {
  if (walk.xattrs === undefined || entry.type === 'hardlink') return entry;
  const pax = xattrRecords(await walk.xattrs(utf8(place), Buffer.from(place, 'latin1')));
  return pax.size === 0 ? entry : { ...entry, pax };
}

function levelOf(place: string, path: string): Level {
  let found: Dirent[];
  try {
    found = readdirSync(onDisk(place), { encoding: 'latin1', withFileTypes: true });
  } catch (cause) {
    throw changed(utf8(place), cause);
  }
  const special = new Set<string>();
  for (const entry of found) if (!entry.isFile() && !entry.isDirectory()) special.add(entry.name);
  const names = found.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
  return { place, path, names, special, next: 0 };
}

function statsOf({ place, path }: Found): BigIntStats {
  let stats: BigIntStats;
  try {
    stats = lstatSync(onDisk(place.endsWith('/') ? place.slice(0, -1) : place), { bigint: true });
  } catch (cause) {
    throw changed(utf8(place), cause);
  }
  // The name was sorted as what it was when the directory was read.
  if (stats.isDirectory() !== path.endsWith('/')) throw changed(utf8(place), undefined);
  return stats;
}

function rootStats(path: string): BigIntStats {
  try {
    return lstatSync(path, { bigint: true });
  } catch (cause) {
    throw new OciTarError('NOT_FOUND', `there is no file or directory ${path}`, { subject: path, cause });
  }
}

function isPackable(found: Found, stats: BigIntStats, walk: Walk): boolean {
  if (!stats.isSocket()) return true;
  walk.onSkip?.({ path: utf8(found.path), why: 'socket' });
  return false;
}

function toEntry(found: Found, stats: BigIntStats, walk: Walk, held?: HeldFile): TreeEntry {
  const { place, path } = found;
  const mtime = walk.mtime ?? wholeSeconds(stats.mtimeNs);
  // Once as a number: each of the questions that stats answer makes two more of 64 bits.
  const mode = Number(stats.mode);
  const kind = mode & constants.S_IFMT;
  const common = {
    path: utf8(path),
    pathBytes: Buffer.from(path, 'latin1'),
    size: 0,
    mode: mode & 0o7777,
    uid: walk.uid ?? Number(stats.uid),
    gid: walk.gid ?? Number(stats.gid),
    mtime: Math.min(mtime, walk.mtimeLimit ?? mtime),
    linkname: '',
    linknameBytes: nothing,
    devmajor: 0,
    devminor: 0,
  };
  if (kind === constants.S_IFDIR) return { ...common, type: 'directory' };
  if (stats.nlink > 1n) {
    const inode = `${stats.dev}:${stats.ino}`;
    const first = walk.links.get(inode);
    if (first !== undefined) return { ...common, type: 'hardlink', linkname: Buffer.from(first).toString(), linknameBytes: first };
    walk.links.set(inode, common.pathBytes);
  }
  if (kind === constants.S_IFREG) return { ...common, type: 'file', size: Number(stats.size), data: treeFile(onDisk(place), common.path, stats, walk, held) };
  if (kind === constants.S_IFLNK) {
    const target = linkTarget(place);
    return { ...common, type: 'symlink', linkname: target.toString(), linknameBytes: target };
  }
  if (kind === constants.S_IFIFO) return { ...common, type: 'fifo' };
  const type = kind === constants.S_IFBLK ? 'block-device' : 'character-device';
  // Linux keeps 12 + 20 bits of major and 8 + 24 of minor apart in one number (makedev(3)).
  const devmajor = Number(((stats.rdev >> 8n) & 0xfffn) | ((stats.rdev >> 32n) & 0xfffff000n));
  const devminor = Number((stats.rdev & 0xffn) | ((stats.rdev >> 12n) & 0xffffff00n));
  return { ...common, type, devmajor, devminor };
}

/** Rounded down, also before 1970. */
function wholeSeconds(nanoseconds: bigint): number {
  const seconds = Number(nanoseconds / second);
  return nanoseconds < 0n && nanoseconds % second !== 0n ? seconds - 1 : seconds;
}

const second = 1_000_000_000n;
const nothing = new Uint8Array(0);

function linkTarget(place: string): Buffer {
  try {
    return readlinkSync(onDisk(place), { encoding: 'buffer' });
  } catch (cause) {
    throw changed(utf8(place), cause);
  }
}

function latin1(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString('latin1');
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

/** For the system's calls. */
function onDisk(text: string): string | Buffer {
  return isAscii(text) ? text : Buffer.from(text, 'latin1');
}

function utf8(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'latin1').toString();
}
