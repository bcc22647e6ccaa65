import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { OciTarError } from '../../errors.ts';
import type { TreeEntry, TreeOptions } from '../tree.ts';

/**
 * The entries below a directory (without the directory itself), each directory before what is in it, sorted by the
 * bytes of their paths. Symlinks are entries, never followed; names of one file after the first are hardlinks.
 * Extended attributes are not read. NOT_FOUND or INVALID_ARGUMENT where the root is no directory.
 */
export async function* walkTree(root: string, options: TreeOptions = {}): AsyncGenerator<TreeEntry, void, void> {
  const top = await lstat(root, { bigint: true }).catch((cause: unknown) => {
    throw new OciTarError('NOT_FOUND', `there is no directory ${root}`, { subject: root, cause });
  });
  if (!top.isDirectory()) throw new OciTarError('INVALID_ARGUMENT', `${root} is not a directory`, { subject: root });
  const firstNames = new Map<string, Buffer>();
  // An own stack, because a tree may be deeper than the call stack.
  const stack = await children(Buffer.from(root), Buffer.alloc(0));
  for (let found = stack.pop(); found !== undefined; found = stack.pop()) {
    options.signal?.throwIfAborted();
    if (found.stats.isSocket()) {
      options.onSkip?.({ path: found.path.toString(), why: 'socket' });
      continue;
    }
    yield await toEntry(found, firstNames, options);
    if (!found.stats.isDirectory()) continue;
    // One by one: a directory may have more children than a call may have arguments.
    for (const child of await children(found.place, found.path)) stack.push(child);
  }
}

interface Found {
  /** Where it is on disk. */
  readonly place: Buffer;
  /** Its path in the tree; a directory's ends in a slash. */
  readonly path: Buffer;
  readonly stats: BigIntStats;
}

/** What is in a directory, last first, as the stack wants it. */
async function children(place: Buffer, path: Buffer): Promise<Found[]> {
  const found: Found[] = [];
  for (const name of await readdir(place, { encoding: 'buffer' })) {
    const childPlace = Buffer.concat([place, slash, name]);
    const stats = await lstat(childPlace, { bigint: true }).catch((cause: unknown) => {
      throw changed(childPlace.toString(), cause);
    });
    const childPath = Buffer.concat(stats.isDirectory() ? [path, name, slash] : [path, name]);
    found.push({ place: childPlace, path: childPath, stats });
  }
  // With the slash of directories, so that siblings in order give the whole tree in order.
  return found.sort((a, b) => Buffer.compare(b.path, a.path));
}

/** The error for what went away, or cannot be read, between being seen and being opened. */
function changed(subject: string, cause: unknown): OciTarError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const details = { subject, cause };
  if (code === 'EACCES' || code === 'EPERM') return new OciTarError('FORBIDDEN', `${subject} may not be read`, details);
  return new OciTarError('CONFLICT', `${subject} went away while the tree was read`, details);
}

const slash = Buffer.from('/');

async function toEntry(found: Found, firstNames: Map<string, Buffer>, options: TreeOptions): Promise<TreeEntry> {
  const { place, path, stats } = found;
  const mtime = options.mtime ?? Number((stats.mtimeNs - (((stats.mtimeNs % second) + second) % second)) / second);
  const common = {
    path: path.toString(),
    pathBytes: path,
    size: 0,
    mode: Number(stats.mode & 0o7777n),
    uid: options.uid ?? Number(stats.uid),
    gid: options.gid ?? Number(stats.gid),
    mtime: Math.min(mtime, options.mtimeLimit ?? mtime),
    linkname: '',
    linknameBytes: new Uint8Array(0),
    devmajor: 0,
    devminor: 0,
  };
  if (stats.isDirectory()) return { ...common, type: 'directory' };
  if (stats.nlink > 1n) {
    const inode = `${stats.dev}:${stats.ino}`;
    const first = firstNames.get(inode);
    if (first !== undefined) return { ...common, type: 'hardlink', linkname: first.toString(), linknameBytes: first };
    firstNames.set(inode, path);
  }
  if (stats.isSymbolicLink()) {
    const target = await readlink(place, { encoding: 'buffer' });
    return { ...common, type: 'symlink', linkname: target.toString(), linknameBytes: target };
  }
  if (stats.isFIFO()) return { ...common, type: 'fifo' };
  if (stats.isFile()) return { ...common, type: 'file', size: Number(stats.size), data: contents(found, options.signal) };
  const type = stats.isBlockDevice() ? 'block-device' : 'character-device';
  // Linux keeps 12 + 20 bits of major and 8 + 24 of minor apart in one number (makedev(3)).
  const devmajor = Number(((stats.rdev >> 8n) & 0xfffn) | ((stats.rdev >> 32n) & 0xfffff000n));
  const devminor = Number((stats.rdev & 0xffn) | ((stats.rdev >> 12n) & 0xffffff00n));
  return { ...common, type, devmajor, devminor };
}

const second = 1_000_000_000n;
const runSize = 256 * 1024;

async function* contents(found: Found, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
  const subject = found.path.toString();
  const expected = Number(found.stats.size);
  // O_NONBLOCK, so that a fifo which took the file's place does not hold the walk up.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(found.place, flags).catch((cause: unknown) => {
    throw changed(subject, cause);
  });
  try {
    const now = await file.stat({ bigint: true });
    if (now.dev !== found.stats.dev || now.ino !== found.stats.ino || !now.isFile()) {
      throw new OciTarError('CONFLICT', `${JSON.stringify(subject)} was replaced while the tree was read`, { subject });
    }
    let read = 0;
    for (;;) {
      signal?.throwIfAborted();
      // One byte more than there should be, so that a file which grew is found out.
      const run = new Uint8Array(Math.min(runSize, expected - read + 1));
      const { bytesRead } = await file.read(run, 0, run.length, read);
      read += bytesRead;
      if (read > expected || (bytesRead === 0 && read < expected)) {
        const message = `${JSON.stringify(subject)} changed its size while it was read, from ${expected} bytes`;
        throw new OciTarError('SIZE_MISMATCH', message, { subject, expected, actual: read });
      }
      if (bytesRead > 0) yield run.subarray(0, bytesRead);
      if (read === expected && bytesRead < run.length) return;
    }
  } finally {
    await file.close();
  }
}
