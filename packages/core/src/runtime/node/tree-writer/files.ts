import { closeSync, constants, ftruncateSync, openSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { OciTarError } from '../../../errors.ts';
import type { WriteEntry } from '../../tree-writer.ts';
import { shownPath, textOf } from './names.ts';
import type { TreePath } from './names.ts';

/** Never what is there already, and never through a link. */
const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Up to here a run is written synchronously: that takes 5 to 30 us, a round trip to the thread pool 50. */
const smallRun = 128 * 1024;
/** Only in files from here on zeros become holes. */
const sparseFrom = 64 * 1024;
const block = 4096;
const zeros = Buffer.alloc(block);
const writeAsync = promisify(write);

/**
 * Makes a file of an entry's body, blocks of zeros in large ones as holes; `finish` is called with its handle before it is closed.
 * SIZE_MISMATCH where the body is not as long as the entry says; whatever is thrown, the handle is closed.
 */
export async function writeFileAt(
  place: string | Buffer,
  data: WriteEntry['data'],
  size: number,
  path: TreePath,
  onBytes: (count: number) => void,
  finish: (handle: number) => void,
): Promise<void> {
  const handle = openSync(place, openFlags, 0o600);
  try {
    const body = new Body(handle, path, size);
    if (data instanceof Uint8Array) {
      onBytes(data.byteLength);
      await body.write(data);
    } else if (data !== undefined && size > 0) {
      for await (const run of data) {
        onBytes(run.byteLength);
        await body.write(run);
      }
    }
    await body.end();
    finish(handle);
  } finally {
    closeSync(handle);
  }
}

class Body {
  readonly #handle: number;
  readonly #path: TreePath;
  readonly #size: number;
  #position = 0;
  /** Where the file ends so far: less than the position after a hole. */
  #end = 0;

  constructor(handle: number, path: TreePath, size: number) {
    this.#handle = handle;
    this.#path = path;
    this.#size = size;
  }

  async write(run: Uint8Array): Promise<void> {
    if (run.byteLength > this.#size - this.#position) throw this.#mismatch(this.#position + run.byteLength, 'more');
    if (this.#size < sparseFrom) return this.#put(run);
    for (let at = 0; at < run.byteLength; ) {
      const hole = zerosIn(run, at, this.#position);
      this.#position += hole;
      at += hole;
      const dense = dataIn(run, at, this.#position);
      if (dense > 0) await this.#put(run.subarray(at, at + dense));
      at += dense;
    }
  }

  async end(): Promise<void> {
    if (this.#position < this.#size) throw this.#mismatch(this.#position, 'less');
    if (this.#end < this.#size) ftruncateSync(this.#handle, this.#size);
  }

  async #put(run: Uint8Array): Promise<void> {
    for (let written = 0; written < run.byteLength; ) {
      const left = run.byteLength - written;
      const count = left <= smallRun ? writeSync(this.#handle, run, written, left, this.#position) : (await writeAsync(this.#handle, run, written, left, this.#position)).bytesWritten;
      written += count;
      this.#position += count;
    }
    this.#end = this.#position;
  }

  #mismatch(actual: number, than: 'more' | 'less'): OciTarError {
    const message = `the body of ${shownPath(this.#path)} has ${than} bytes than the ${this.#size} that its entry says`;
    return new OciTarError('SIZE_MISMATCH', message, { subject: textOf(this.#path), expected: this.#size, actual });
  }
}

/** So many bytes from here on are whole blocks of zeros. */
function zerosIn(run: Uint8Array, start: number, position: number): number {
  // Holes are whole blocks of the file, wherever the runs are cut.
  if (position % block !== 0) return 0;
  let at = start;
  while (isZero(run, at)) at += block;
  return at - start;
}

/** So many bytes from here on are not. */
function dataIn(run: Uint8Array, start: number, position: number): number {
  if (start === run.byteLength) return 0;
  let at = Math.min(run.byteLength, start + block - (position % block));
  while (at < run.byteLength && !isZero(run, at)) at = Math.min(run.byteLength, at + block);
  return at - start;
}

function isZero(run: Uint8Array, at: number): boolean {
  return run.byteLength - at >= block && run[at] === 0 && run[at + block - 1] === 0 && zeros.compare(run, at, at + block) === 0;
}
