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
  await fill(handle, path, buffer, position, end);
  return buffer;
}

/** Fills `target` with the bytes of an open file of `size` bytes. */
export async function readHandleInto(handle: FileHandle, path: string, target: Uint8Array, position: number, size: number): Promise<void> {
  checkRange(position, position + target.byteLength, size);
  await fill(handle, path, target, position, size);
}

/** `end` is where the file must not end before, for the message. */
async function fill(handle: FileHandle, path: string, target: Uint8Array, position: number, end: number): Promise<void> {
  let filled = 0;
  while (filled < target.byteLength) {
    const { bytesRead } = await handle.read(target, filled, target.byteLength - filled, position + filled).catch((error: unknown) => {
      throw mapErrno(error, path);
    });
    if (bytesRead === 0) throw becameShorter(path, end, position + filled);
    filled += bytesRead;
  }
}

export function becameShorter(path: string, expected: number, actual: number): OciTarError {
  return new OciTarError('SIZE_MISMATCH', `${path} became shorter while it was read: it ends at byte ${actual}, expected ${expected} and more`, {
    expected,
    actual,
    subject: path,
  });
}

/** So many bytes may wait while others are written. */
const waitingLimit = 1024 * 1024;

/**
 * A file that is to last is sent to the disk after so many bytes, while more come, not all of it in the end, when everybody waits for
 * it: the last layer of a pull of 450 MB is complete 0.1 s earlier.
 */
const syncEvery = 32 * 1024 * 1024;

/**
 * Writes in order, behind its caller: what comes while a write is under way goes together in the next one. Small runs so cost a system
 * call and a turn of the thread pool for a mebibyte of them, and need not be copied to be joined.
 */
export class HandleWriter {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #lasting: boolean;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #writing: Promise<void> | undefined;
  #unsynced = 0;
  #syncing: Promise<void> | undefined;
  #failure: { readonly reason: unknown } | undefined;

  /** @param options `lasting`: it will be synced in the end */
  constructor(handle: FileHandle, path: string, options: { readonly lasting?: boolean } = {}) {
    this.#handle = handle;
    this.#path = path;
    this.#lasting = options.lasting ?? false;
  }

  /** Resolves when the next chunk may come. An earlier chunk's error is thrown by a later call. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#check();
    this.#waiting.push(chunk);
    this.#size += chunk.byteLength;
    this.#writing ??= this.#writeWaiting();
    while (this.#size >= waitingLimit && this.#writing !== undefined) await this.#writing;
    this.#check();
  }

  /** All chunks are with the operating system. */
  async finish(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#syncing;
    this.#check();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  /** Everything that waits now. Never rejects: the error waits for the next call. */
  async #writeWaiting(): Promise<void> {
    const chunks = this.#waiting;
    this.#waiting = [];
    this.#size = 0;
    try {
      await this.#writeAll(chunks);
    } catch (error) {
      this.#fail(error);
    }
    this.#syncBehind();
    this.#writing = this.#waiting.length > 0 && this.#failure === undefined ? this.#writeWaiting() : undefined;
  }

  /** Never rejects, and its error is kept: a system tells of a page that it could not write once, and a later sync succeeds. */
  #syncBehind(): void {
    if (!this.#lasting || this.#unsynced < syncEvery || this.#syncing !== undefined) return;
    this.#unsynced = 0;
    this.#syncing = this.#handle
      .datasync()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => (this.#syncing = undefined));
  }

  #fail(error: unknown): void {
    this.#failure ??= { reason: mapErrno(error, this.#path) };
  }

  async #writeAll(chunks: readonly Uint8Array[]): Promise<void> {
    let left = chunks.filter(({ byteLength }) => byteLength > 0);
    while (left.length > 0) {
      const [first] = left;
      const { bytesWritten } = left.length === 1 && first !== undefined ? await this.#handle.write(first) : await this.#handle.writev(left);
      this.#unsynced += bytesWritten;
      left = after(left, bytesWritten);
    }
  }
}

/** What is left of chunks when so many bytes of them have been written. */
function after(chunks: readonly Uint8Array[], written: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = written;
  for (const chunk of chunks) {
    if (skip < chunk.byteLength) left.push(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.byteLength);
  }
  return left;
}
