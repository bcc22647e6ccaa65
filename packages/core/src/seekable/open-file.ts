import { createDigester } from '#runtime/digester';
import type { Digester } from '../runtime/digester.ts';
import type { DraftEntry } from './draft.ts';
import type { Chunker } from './format.ts';

/** A regular file of a tar being laid out, whose content is coming. */
export class OpenFile {
  readonly #first: DraftEntry;
  readonly #size: number;
  readonly #chunker: Chunker;
  readonly #wait: (promise: Promise<unknown>) => void;
  /** None for a file of one chunk, which is hashed once. */
  readonly #whole: Digester | undefined;
  #chunk: { readonly entry: DraftEntry; readonly digester: Digester } | undefined;
  #offset = 0;
  #chunkStart = 0;
  complete = false;

  /** `wait` is told of what has to be over before more bytes come. */
  constructor(first: DraftEntry, size: number, chunker: Chunker, wait: (promise: Promise<unknown>) => void) {
    this.#first = first;
    this.#size = size;
    this.#chunker = chunker;
    this.#wait = wait;
    const oneChunk = chunker.size !== undefined && size <= chunker.size;
    this.#whole = oneChunk ? undefined : createDigester('sha256', { size });
  }

  /** The entry of the chunk that begins here; undefined in the midst of one. */
  startChunk(chunkSize: number): DraftEntry | undefined {
    if (this.#chunk !== undefined) return undefined;
    const entry: DraftEntry = this.#offset === 0 ? this.#first : { name: this.#first.name, type: 'chunk' };
    if (this.#offset > 0) entry.chunkOffset = this.#offset;
    this.#chunkStart = this.#offset;
    this.#chunk = { entry, digester: createDigester('sha256', { size: Math.min(chunkSize, this.#size - this.#offset) }) };
    return entry;
  }

  /** Takes bytes of the present chunk; returns how many, or undefined where more of them have to be seen together. */
  take(bytes: Uint8Array): number | undefined {
    const chunk = this.#chunk;
    if (chunk === undefined) return 0;
    const { length, complete } = this.#chunker.take(bytes);
    if (length === 0 && !complete) return undefined;
    const part = length < bytes.length ? bytes.subarray(0, length) : bytes;
    this.#digest(chunk.digester, part);
    this.#offset += length;
    const last = this.#offset === this.#size;
    if (this.#whole !== undefined) this.#digest(this.#whole, part);
    if (complete || last) this.#endChunk(chunk, last);
    return length;
  }

  #digest(digester: Digester, part: Uint8Array): void {
    const behind = digester.update(part);
    if (behind !== undefined) this.#wait(behind);
  }

  #endChunk({ entry, digester }: { readonly entry: DraftEntry; readonly digester: Digester }, last: boolean): void {
    const chunkSize = this.#offset - this.#chunkStart;
    const { chunkType } = this.#chunker;
    if (chunkType !== undefined) entry.chunkType = chunkType;
    const first = this.#first;
    const whole = this.#whole;
    this.#told(digester, (digest) => {
      entry.chunkDigest = digest;
      if (last && whole === undefined) first.digest = digest;
    });
    this.#chunk = undefined;
    // The last one goes to the file's end, which readers know; a full one says its size all the same, as the reference has it.
    if (!last || chunkSize === this.#chunker.size) entry.chunkSize = chunkSize;
    if (!last) return;
    this.complete = true;
    if (whole !== undefined) this.#told(whole, (digest) => (first.digest = digest));
  }

  #told(digester: Digester, receive: (digest: string) => void): void {
    const hex = digester.hex();
    if (typeof hex === 'string') receive(`sha256:${hex}`);
    else this.#wait(hex.then((told) => receive(`sha256:${told}`)));
  }

  dispose(): void {
    this.#whole?.dispose();
    this.#chunk?.digester.dispose();
  }
}

/** Chunks of one size, but for the last. */
export function fixedChunks(size: number): Chunker {
  let left = size;
  return {
    size,
    take(run) {
      const length = Math.min(left, run.length);
      left -= length;
      const complete = left === 0;
      if (complete) left = size;
      return { length, complete };
    },
  };
}
