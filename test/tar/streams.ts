import type { ByteSource, ByteStream } from '../../packages/core/src/bytes/types.ts';

/** The bytes in runs of these lengths, over and over; a Uint8Array per run, none of them empty. */
export async function* inRuns(bytes: Uint8Array, lengths: readonly number[] = [65536]): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.max(1, lengths[i % lengths.length] ?? 1);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

export async function gather(stream: ByteStream | Iterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const run of stream) parts.push(run);
  return new Uint8Array(Buffer.concat(parts));
}

export async function list<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Bytes at rest that count what is read of them. */
export class CountingSource implements ByteSource {
  readonly #bytes: Uint8Array;
  readonly size: number;
  reads: [start: number, end: number][] = [];

  constructor(bytes: Uint8Array, size = bytes.length) {
    this.#bytes = bytes;
    this.size = size;
  }

  async *read(start = 0, end = this.size): AsyncGenerator<Uint8Array, void, void> {
    this.reads.push([start, end]);
    yield* inRuns(this.#bytes.subarray(start, end));
  }
}

/** What a promise was rejected with. */
export async function failure(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
