import type { ByteStream } from '../../packages/core/src/bytes/types.ts';
import { isOciTarError } from '../../packages/core/src/errors.ts';

/** The bytes cut into runs of these lengths, over and over. */
export async function* cut(bytes: Uint8Array, lengths: readonly number[] = [64 * 1024]): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = Math.max(1, lengths[index % lengths.length] ?? 1);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

export async function collect(stream: ByteStream): Promise<Uint8Array> {
  const runs: Uint8Array[] = [];
  for await (const run of stream) runs.push(run);
  return concat(...runs);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** What became of reading a stream: its bytes in hex, or the code of its error; other errors pass. */
export async function outcome(stream: ByteStream): Promise<string> {
  try {
    return Buffer.from(await collect(stream)).toString('hex');
  } catch (error) {
    if (isOciTarError(error)) return error.code;
    throw error;
  }
}

/** Bytes that compress somewhat: words from a small vocabulary, the same ones for a seed. */
export function prose(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let at = 0; at < length; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const word = `${(state >>> 8) % 4096} layer${(state >>> 20) % 64}\n`;
    for (let index = 0; index < word.length && at < length; index++) bytes[at++] = word.charCodeAt(index);
  }
  return bytes;
}

interface Watched {
  readonly stream: ByteStream;
  /** Runs read so far. */
  reads: number;
  closed: boolean;
}

/** Counts how often a stream is read and tells whether it was given up. */
export function watched(bytes: Uint8Array, lengths?: readonly number[]): Watched {
  const state: Watched = { stream: read(), reads: 0, closed: false };
  return state;

  async function* read(): ByteStream {
    try {
      for await (const run of cut(bytes, lengths)) {
        state.reads++;
        yield run;
      }
    } finally {
      state.closed = true;
    }
  }
}
