import { write } from 'node:fs';
import { promisify } from 'node:util';
import { OciTarError } from '@oci-tar/core';
import type { ByteSink } from '@oci-tar/core';

const writeChunk = promisify(write);

/** The longest to wait, in ms, where another process has made the pipe non-blocking and it is full; a fast reader empties it in far less. */
const longestDelay = 10;

/**
 * Writes to a file descriptor that is open already and stays open. Writes go through the thread pool: `process.stdout`
 * would stop the whole process while a pipe is full. Nothing can be taken back.
 */
export function descriptorSink(descriptor: number, name: string): ByteSink {
  let pending: Promise<void> = Promise.resolve();
  let ended = false;
  const writeAll = async (chunk: Uint8Array) => {
    let delay = 0;
    for (let at = 0; at < chunk.byteLength && !ended; ) {
      try {
        at += (await writeChunk(descriptor, chunk, at, chunk.byteLength - at)).bytesWritten;
        delay = 0;
      } catch (error) {
        if (errnoOf(error) !== 'EAGAIN') throw outputError(error, name);
        await new Promise((resolve) => (delay === 0 ? setImmediate(resolve) : setTimeout(resolve, delay)));
        delay = Math.min(delay + 1, longestDelay);
      }
    }
  };
  return {
    // One chunk behind, so that the next one is made while this one is written.
    async write(chunk) {
      await pending;
      pending = writeAll(chunk);
      pending.catch(() => {});
    },
    commit: () => pending,
    // Not waiting for what is under way: a reader that does not read would keep us for ever.
    async abort() {
      ended = true;
    },
  };
}

/** A system error of a standard stream in the library's terms, where it has them. */
export function outputError(error: unknown, name: string): unknown {
  const errno = errnoOf(error);
  if (errno !== 'ENOSPC' && errno !== 'EDQUOT' && errno !== 'EFBIG') return error;
  return new OciTarError('NO_SPACE', `${name}: there is no space left`, { side: 'target', subject: name, cause: error });
}

/** The system's name of an error (`EPIPE`), when it has one. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
