import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { parseOwner } from './owner.ts';
import type { Owner } from './owner.ts';

/** An owner is about 250 bytes. */
const maxSize = 4096;

/** What a lock file, or the `owner` file of a staging folder, says at one moment. */
export interface OwnerFile {
  /** The owner's id; for a file that cannot be understood a name made of its inode and time. Safe as part of a file name. */
  readonly id: string;
  readonly owner: Owner | undefined;
  /** Last touched, in milliseconds by the file system's own clock. */
  readonly touched: number;
}

/** An owner file of this process: it stays open, so that touching it can never touch another's. */
export interface OwnOwnerFile {
  /** Sets the file's time by the file system's clock and returns it in milliseconds. */
  touch(): Promise<number>;
  close(): Promise<void>;
}

/** Makes the file, which must not exist yet (EEXIST). Raw system errors. */
export async function createOwnerFile(path: string, owner: Owner): Promise<OwnOwnerFile> {
  const handle = await open(path, 'wx', 0o644);
  const bytes = new TextEncoder().encode(JSON.stringify(owner));
  const file: OwnOwnerFile = {
    async touch() {
      // The same bytes again: utimes would set this host's clock, which may not be the file server's.
      await handle.write(bytes, 0, bytes.byteLength, 0);
      return (await handle.stat()).mtimeMs;
    },
    close: () => handle.close(),
  };
  try {
    await file.touch();
    return file;
  } catch (error) {
    await handle.close();
    await unlink(path).catch(() => {});
    throw error;
  }
}

/** Reads an owner file; `undefined` when there is none. UNSAFE_PATH for a symbolic link or anything else but a file. */
export async function readOwnerFile(path: string): Promise<OwnerFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw mapErrno(error, path);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new OciTarError('UNSAFE_PATH', `${path} is not a regular file`, { subject: path });
    const { buffer, bytesRead } = await handle.read(new Uint8Array(maxSize), 0, maxSize, 0);
    const owner = parseOwner(new TextDecoder().decode(buffer.subarray(0, bytesRead)));
    return { id: owner?.id ?? `x${stat.ino}x${Math.floor(stat.mtimeMs)}`, owner, touched: stat.mtimeMs };
  } finally {
    await handle.close();
  }
}
