import type { Chunker } from '../format.ts';

/** A run of this many zeros is a chunk of its own (containers-storage). */
const leastZeros = 1024;

/** bup's rolling checksum: a window of 64 bytes, each counted with 31 more. */
const windowSize = 64;
const byteOffset = 31;
const firstSum = windowSize * byteOffset;
const secondSum = windowSize * (windowSize - 1) * byteOffset;

/** A chunk ends where so many low bits of the second sum are ones: every 64 KiB on average. */
const splitMask = 0xffff;

/** Without an end, content that repeats itself would be one chunk, which has to be in memory as a whole. */
const longestChunk = 8 * 1024 * 1024;

/**
 * Cuts a file where its own bytes say so, so that files that are alike have chunks in common, as containers-storage does it for zstd:chunked.
 * Long runs of zeros are chunks of the type `zeros`. Unlike there no chunk is longer than 8 MiB.
 */
export function rollingChunks(size: number): Chunker {
  return new RollingChunks(size);
}

class RollingChunks implements Chunker {
  readonly #window = new Uint8Array(windowSize);
  #at = 0;
  #first = firstSum;
  #second = secondSum;
  /** Bytes of the file that are not taken yet. */
  #left: number;
  /** Bytes of the present chunk. */
  #taken = 0;
  /** Of what comes next, so many bytes are known to have no long run of zeros in them. */
  #clear = 0;
  #zeros = false;

  constructor(size: number) {
    this.#left = size;
  }

  get chunkType(): string | undefined {
    return this.#zeros ? 'zeros' : undefined;
  }

  take(run: Uint8Array): { readonly length: number; readonly complete: boolean } {
    if (this.#taken === 0) this.#zeros = false;
    if (this.#clear === 0 && !this.#zeros) {
      this.#clear = bytesBeforeZeros(run, run.length === this.#left);
      if (this.#clear === 0) {
        if (zerosAt(run, 0) < leastZeros) return { length: 0, complete: false };
        if (this.#taken > 0) return this.#took(0, true);
        this.#zeros = true;
        this.#reset();
      }
    }
    const room = Math.min(run.length, longestChunk - this.#taken);
    if (this.#zeros) {
      const zeros = zerosAt(run, 0);
      return this.#took(Math.min(zeros, room), zeros < run.length);
    }
    const most = Math.min(this.#clear, room);
    const split = this.#roll(run, 0, most);
    const length = split === 0 ? most : split;
    this.#clear -= length;
    return this.#took(length, split > 0);
  }

  #took(length: number, ends: boolean): { readonly length: number; readonly complete: boolean } {
    this.#left -= length;
    this.#taken += length;
    const complete = ends || this.#taken === longestChunk;
    if (complete) this.#taken = 0;
    return { length, complete };
  }

  /** Takes bytes into the checksum; the position after the one where the chunk ends, or 0. */
  #roll(run: Uint8Array, start: number, end: number): number {
    const window = this.#window;
    let at = this.#at;
    let first = this.#first;
    let second = this.#second;
    let split = 0;
    for (let index = start; index < end; index++) {
      const dropped = window[at] ?? 0;
      const byte = run[index] ?? 0;
      first = (first + byte - dropped) | 0;
      second = (second + first - windowSize * (dropped + byteOffset)) | 0;
      window[at] = byte;
      at = (at + 1) & (windowSize - 1);
      if ((second & splitMask) === splitMask) {
        split = index + 1;
        break;
      }
    }
    this.#at = at;
    this.#first = first;
    this.#second = second;
    return split;
  }

  /** More zeros than the window has bytes leave it as it was in the beginning. */
  #reset(): void {
    this.#window.fill(0);
    this.#first = firstSum;
    this.#second = secondSum;
  }
}

/** How many bytes come before a long run of zeros, or before zeros that may become one: nobody knows yet unless the file ends with `bytes`. */
function bytesBeforeZeros(bytes: Uint8Array, isEnd: boolean): number {
  for (let at = bytes.indexOf(0); at >= 0; at = bytes.indexOf(0, at)) {
    const zeros = zerosAt(bytes, at);
    if (zeros >= leastZeros || (at + zeros === bytes.length && !isEnd)) return at;
    at += zeros;
  }
  return bytes.length;
}

function zerosAt(bytes: Uint8Array, start: number): number {
  let end = start;
  while (end < bytes.length && bytes[end] === 0) end += 1;
  return end - start;
}
