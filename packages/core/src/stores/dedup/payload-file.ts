import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { bytesSource, checkRange } from '../../bytes/source.ts';
import type { ByteSource } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { becameShorter, readHandle } from '../../runtime/node/handle.ts';
import { payloadName } from '../../tar/split/assemble.ts';
import { wholePayload } from '../../tar/split/limits.ts';
import type { PayloadKey } from '../../tar/split/payloads.ts';

/** Without O_NONBLOCK opening a FIFO would wait for its writer for ever. */
const openFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/**
 * A payload's file. One of up to 1 MiB is read at once, synchronously: its system calls take 15 us, their round trips to the thread
 * pool 200 us. NOT_FOUND; UNSUPPORTED for what is no regular file, UNSAFE_PATH for a symbolic link.
 */
export function payloadFile(path: string | Buffer, key: PayloadKey): ByteSource {
  const subject = String(path);
  let file: number | undefined;
  try {
    file = openSync(path, openFlags);
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new OciTarError('UNSUPPORTED', `${subject} is not a regular file`, { subject });
    const { size } = stats;
    // Of another size it is not read; whoever asks finds that out by the size.
    if (size !== key.size || size > wholePayload) return longFile(path, size);
    const bytes = Buffer.allocUnsafe(size);
    for (let filled = 0; filled < size; ) {
      const count = readSync(file, bytes, filled, size - filled, filled);
      if (count === 0) throw becameShorter(subject, size, filled);
      filled += count;
    }
    return bytesSource(bytes);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw mapErrno(error, subject);
    throw new OciTarError('NOT_FOUND', `there is no file for the payload ${payloadName(key)} (${key.size} bytes)`, { subject, cause: error });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * Reads a payload's file into an array of its size. False where that cannot be done just so; whoever opens it is told why.
 */
export function readPayload(path: string | Buffer, target: Uint8Array): boolean {
  let file: number;
  try {
    file = openSync(path, openFlags);
  } catch {
    return false;
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size !== target.length) return false;
    for (let filled = 0; filled < target.length; ) {
      const count = readSync(file, target, filled, target.length - filled, filled);
      if (count === 0) return false;
      filled += count;
    }
    return true;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

function longFile(path: string | Buffer, size: number): ByteSource {
  return {
    size,
    async *read(start = 0, end = size) {
      checkRange(start, end, size);
      const handle = await open(path, openFlags).catch((error: unknown) => {
        throw mapErrno(error, String(path));
      });
      try {
        yield* readHandle(handle, String(path), start, end, size);
      } finally {
        await handle.close();
      }
    },
  };
}
