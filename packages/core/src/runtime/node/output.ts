import { open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { ByteSink } from '../../bytes/types.ts';
import { errnoOf, mapErrno } from './errno.ts';
import { HandleWriter } from './handle.ts';
import { randomHex } from './builtins.ts';

/**
 * A file being written. A regular file (or a new one) appears whole at `commit` or not at all: it is written beside its
 * place, synced and renamed. What is not regular (`/dev/null`, a FIFO, a terminal) is written as the bytes come;
 * a symbolic link stays and its target is what is written.
 */
export async function openOutput(path: string): Promise<ByteSink> {
  try {
    const target = await followed(resolve(path));
    return target.special ? await inPlace(target.path) : await besideThenRename(target.path, target.mode);
  } catch (error) {
    throw mapErrno(error, path);
  }
}

/** Where a path leads: links are followed, also one whose target is yet to be made. */
async function followed(path: string): Promise<{ readonly path: string; readonly special: boolean; readonly mode?: number }> {
  try {
    const real = await realpath(path);
    const found = await stat(real);
    return { path: real, special: !found.isFile(), mode: found.mode & 0o777 };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const { lstat, readlink } = await import('node:fs/promises');
    const link = await lstat(path).catch(() => undefined);
    if (link?.isSymbolicLink()) return followed(resolve(dirname(path), await readlink(path)));
    return { path: join(await folderOf(path), basename(path)), special: false };
  }
}

async function folderOf(path: string): Promise<string> {
  const folder = dirname(path);
  try {
    return await realpath(folder);
  } catch (error) {
    throw mapErrno(error, folder);
  }
}

/** `mode`: that of the file whose place it takes: what only its owner could read stays so. */
async function besideThenRename(path: string, mode?: number): Promise<ByteSink> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomHex(6)}.tmp`);
  const handle = await open(temporary, 'wx', mode ?? 0o666);
  const writer = new HandleWriter(handle, path, { lasting: true });
  let done = false;
  return {
    write: (chunk) => writer.write(chunk),
    async commit() {
      try {
        await writer.finish();
        // What the umask took. Some file systems (vfat) have no modes to set.
        if (mode !== undefined) await handle.chmod(mode).catch(() => {});
        await handle.sync();
        await handle.close();
        await rename(temporary, path);
        done = true;
        await syncDirectory(dirname(path));
      } catch (error) {
        throw mapErrno(error, path);
      }
    },
    async abort() {
      if (done) return;
      done = true;
      await writer.finish().catch(() => {});
      await handle.close().catch(() => {});
      await unlink(temporary).catch(() => {});
    },
  };
}

async function inPlace(path: string): Promise<ByteSink> {
  const handle = await open(path, 'w');
  const writer = new HandleWriter(handle, path);
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await handle.close();
  };
  return {
    write: (chunk) => writer.write(chunk),
    async commit() {
      await writer.finish();
      await close();
    },
    async abort() {
      await writer.finish().catch(() => {});
      await close().catch(() => {});
    },
  };
}

/** Makes renames in a directory last; where the system can't sync a directory (Windows) that is left to it. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  if (handle === undefined) return;
  try {
    await handle.sync();
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'EINVAL' && code !== 'EPERM' && code !== 'EISDIR') throw error;
  } finally {
    await handle.close();
  }
}
