import { plainArray } from '../bytes/reader.ts';
import { OciTarError } from '../errors.ts';
import type { ByteSource, ByteStream, OpenSource } from '../bytes/types.ts';

/** After a jump: the header there, and the next few where the body is small. */
const smallest = 4 * 1024;
/** Above this a longer read no longer saves much per byte. */
const largest = 1024 * 1024;
/** Reading on over a gap of this size costs about as much as a read of its own (some 30 µs). */
const nearby = 64 * 1024;
/** Below this files are read synchronously, which is sooner than by a handle that is open. */
const small = 64 * 1024;

/**
 * Ranged reads that look ahead: little after a jump, ever more while the places asked for are close together.
 */
export class SourceWindow {
  readonly #source: ByteSource;
  readonly #opened: OpenSource | undefined;
  #memory: Uint8Array = new Uint8Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #ahead = smallest;

  /** `opened`: the source, where it can be opened, so that longer reads do not open it anew, and use their memory again. The caller closes it. */
  constructor(source: ByteSource, opened?: OpenSource) {
    this.#source = source;
    this.#opened = opened;
  }

  /** `n` bytes at `offset`, fewer only where the source ends. A view, good until the next call. */
  at(offset: number, n: number): Uint8Array | Promise<Uint8Array> {
    const from = offset - this.#start;
    const wanted = Math.min(n, Math.max(0, this.#source.size - offset));
    if (wanted === 0) return this.#bytes.subarray(0, 0);
    if (from >= 0 && from + wanted <= this.#bytes.length) return this.#bytes.subarray(from, from + wanted);
    return this.#read(offset, wanted);
  }

  async #read(offset: number, wanted: number): Promise<Uint8Array> {
    const gap = offset - (this.#start + this.#bytes.length);
    this.#ahead = gap <= nearby ? Math.min(this.#ahead * 2, largest) : smallest;
    const end = Math.min(this.#source.size, offset + Math.max(this.#ahead, wanted));
    const bytes = await this.#bytesOf(offset, end);
    this.#bytes = bytes;
    this.#start = offset;
    return bytes.subarray(0, wanted);
  }

  async #bytesOf(offset: number, end: number): Promise<Uint8Array> {
    const size = end - offset;
    if (this.#opened === undefined || size <= small) return readWhole(this.#source.read(offset, end), offset, size);
    if (this.#memory.length < size) this.#memory = new Uint8Array(size);
    const bytes = this.#memory.subarray(0, size);
    await this.#opened.readInto(bytes, offset);
    return bytes;
  }
}

async function readWhole(stream: ByteStream, offset: number, size: number): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  let filled = 0;
  for await (const run of stream) {
    if (filled + run.length > size) throw wrongLength(offset, size, filled + run.length);
    // Mostly the first run is all there is, and then it is not copied.
    if (run.length === size) bytes = plainArray(run);
    else (bytes ??= new Uint8Array(size)).set(run, filled);
    filled += run.length;
  }
  if (filled < size) throw wrongLength(offset, size, filled);
  return bytes ?? new Uint8Array(0);
}

function wrongLength(offset: number, expected: number, actual: number): OciTarError {
  const message = `reading ${expected} bytes at byte ${offset} gave ${actual}: the source changed while it was read`;
  return new OciTarError('SIZE_MISMATCH', message, { offset, expected, actual });
}
