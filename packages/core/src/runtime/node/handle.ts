import type { FileHandle } from 'node:fs/promises';
import { checkRange } from '../../bytes/source.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import { mapErrno } from './errno.ts';

/** One read: large enough that the system calls do not show, small enough that a few in flight stay under a few MiB. */
const readSize = 1024 * 1024;

/** The bytes of an open file; the next read is under way while the last one is used. */
export async function* readHandle(handle: FileHandle, path: string, start: number, end: number, size: number): ByteStream {
  checkRange(start, end, size);
  let position = start;
  let ahead = position < end ? readAt(handle, path, position, end) : undefined;
  while (ahead !== undefined) {
    const chunk: Uint8Array = await ahead;
    position += chunk.byteLength;
    ahead = position < end ? readAt(handle, path, position, end) : undefined;
    // The reader may stop here: a read that fails later must not go unhandled.
    ahead?.catch(() => {});
    yield chunk;
  }
}

async function readAt(handle: FileHandle, path: string, position: number, end: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(readSize, end - position));
  let filled = 0;
  while (filled < buffer.byteLength) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.byteLength - filled, position + filled).catch((error: unknown) => {
      throw mapErrno(error, path);
    });
    if (bytesRead === 0) throw becameShorter(path, end, position + filled);
    filled += bytesRead;
  }
  return buffer;
}

export function becameShorter(path: string, expected: number, actual: number): OciTarError {
  return new OciTarError('SIZE_MISMATCH', `${path} became shorter while it was read: it ends at byte ${actual}, expected ${expected} and more`, {
    expected,
    actual,
    subject: path,
  });
}

/** Writes in order, one chunk behind its caller, so that the next chunk is made while the last one is written. */
export class HandleWriter {
  readonly #handle: FileHandle;
  readonly #path: string;
  #pending: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  async write(chunk: Uint8Array): Promise<void> {
    await this.#pending;
    this.#pending = this.#writeAll(chunk);
    // An error is thrown by the next call; until then it must not count as unhandled.
    this.#pending.catch(() => {});
  }

  /** All chunks are with the operating system. */
  finish(): Promise<void> {
    return this.#pending;
  }

  async #writeAll(chunk: Uint8Array): Promise<void> {
    let written = 0;
    while (written < chunk.byteLength) {
      const { bytesWritten } = await this.#handle.write(chunk, written, chunk.byteLength - written).catch((error: unknown) => {
        throw mapErrno(error, this.#path);
      });
      written += bytesWritten;
    }
  }
}
