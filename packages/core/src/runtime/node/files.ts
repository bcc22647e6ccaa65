import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { checkRange } from '../../bytes/source.ts';
import type { ByteSource } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import { mapErrno } from './errno.ts';
import { becameShorter, readHandle, readHandleInto } from './handle.ts';

/** Without O_NONBLOCK opening a FIFO would wait for its writer for ever. */
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK;

/** A file that is open until `close`. */
export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/** Opens a regular file for ranged reads. NOT_FOUND, FORBIDDEN; UNSUPPORTED for a directory, a pipe or a device. */
export async function openFile(path: string): Promise<FileSource> {
  const handle = await openRegular(path);
  const { size } = await handle.stat();
  return {
    size,
    read: (start = 0, end = size) => readHandle(handle, path, start, end, size),
    open: async () => ({ readInto: (target, position) => readHandleInto(handle, path, target, position, size), close: async () => {} }),
    close: () => handle.close(),
  };
}

/** A regular file that is opened anew for each read, so that nothing has to be closed. Errors as in `openFile`. */
export async function fileSource(path: string): Promise<ByteSource> {
  const probe = await openRegular(path);
  const { size } = await probe.stat().finally(() => probe.close());
  return unopenedFile(path, size);
}

/** The same for a file that has been looked at: it is known to be a regular one, of this size, and not opened before it is read. */
export function unopenedFile(path: string, size: number): ByteSource {
  return {
    size,
    async *read(start = 0, end = size) {
      checkRange(start, end, size);
      if (start === end) return;
      if (end - start <= smallFile) {
        yield readSmall(path, start, end);
        return;
      }
      const handle = await openRegular(path);
      try {
        yield* readHandle(handle, path, start, end, size);
      } finally {
        await handle.close();
      }
    },
    async open() {
      const handle = await openRegular(path);
      return { readInto: (target, position) => readHandleInto(handle, path, target, position, size), close: () => handle.close() };
    },
  };
}

/**
 * Up to here a file is read synchronously: its four system calls take about 15 us on a local disk, their round trips to the
 * thread pool 200 us, and a layout may have 100,000 small blobs.
 */
const smallFile = 64 * 1024;

/** All of a regular file as it is now, if it is a small one; `undefined` if not. Errors as in `openFile`. */
export function readSmallFile(path: string): Uint8Array | undefined {
  return withFile(path, (file, size) => (size <= smallFile ? readFully(file, path, 0, size) : undefined));
}

function readSmall(path: string, start: number, end: number): Uint8Array {
  return withFile(path, (file) => readFully(file, path, start, end));
}

function withFile<T>(path: string, use: (file: number, size: number) => T): T {
  let file: number | undefined;
  try {
    file = openSync(path, openFlags);
    const stats = fstatSync(file);
    if (!stats.isFile()) throw notRegular(path, 'not a regular file');
    return use(file, stats.size);
  } catch (error) {
    throw mapErrno(error, path);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function readFully(file: number, path: string, start: number, end: number): Uint8Array {
  const buffer = Buffer.allocUnsafe(end - start);
  let filled = 0;
  while (filled < buffer.byteLength) {
    const count = readSync(file, buffer, filled, buffer.byteLength - filled, start + filled);
    if (count === 0) throw becameShorter(path, end, start + filled);
    filled += count;
  }
  return buffer;
}

/** What a path leads to, links followed. NOT_FOUND, FORBIDDEN. */
export async function pathKind(path: string): Promise<'file' | 'directory' | 'other'> {
  const found = await stat(path).catch((error: unknown) => {
    throw mapErrno(error, path);
  });
  if (found.isFile()) return 'file';
  return found.isDirectory() ? 'directory' : 'other';
}

async function openRegular(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, openFlags);
  } catch (error) {
    throw mapErrno(error, path);
  }
  const stat = await handle.stat();
  if (stat.isFile()) return handle;
  await handle.close();
  throw notRegular(path, stat.isDirectory() ? 'a directory' : 'not a regular file');
}

function notRegular(path: string, what: string): OciTarError {
  return new OciTarError('UNSUPPORTED', `${path} is ${what}`, { subject: path });
}
