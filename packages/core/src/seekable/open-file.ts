import { createDigester } from '#runtime/digester';
import type { Digester } from '../runtime/digester.ts';
import type { DraftEntry } from './draft.ts';
import type { Chunker } from './format.ts';

/** A regular file of a tar being laid out, whose content is coming. */
export class OpenFile {
  readonly #first: DraftEntry;
  readonly #size: number;
  readonly #chunker: Chunker;
  /** None for a file of one chunk, which is hashed once. */
  readonly #whole: Digester | undefined;
  #chunk: { readonly entry: DraftEntry; readonly digester: Digester } | undefined;
  #offset = 0;
  #chunkStart = 0;
  complete = false;

  constructor(first: DraftEntry, size: number, chunker: Chunker) {
    this.#first = first;
    this.#size = size;
    this.#chunker = chunker;
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
  async take(bytes: Uint8Array): Promise<number | undefined> {
    const chunk = this.#chunk;
    if (chunk === undefined) return 0;
    const { length, complete } = this.#chunker.take(bytes);
    if (length === 0 && !complete) return undefined;
    const part = length < bytes.length ? bytes.subarray(0, length) : bytes;
    await chunk.digester.update(part);
    this.#offset += length;
    const last = this.#offset === this.#size;
    await this.#whole?.update(part);
    if (!complete && !last) return length;
    await this.#endChunk(chunk, last);
    return length;
  }

  async #endChunk({ entry, digester }: { readonly entry: DraftEntry; readonly digester: Digester }, last: boolean): Promise<void> {
    const chunkSize = this.#offset - this.#chunkStart;
    const { chunkType } = this.#chunker;
    if (chunkType !== undefined) entry.chunkType = chunkType;
    entry.chunkDigest = `sha256:${await digester.hex()}`;
    this.#chunk = undefined;
    // The last one goes to the file's end, which readers know; a full one says its size all the same, as the reference has it.
    if (!last || chunkSize === this.#chunker.size) entry.chunkSize = chunkSize;
    if (!last) return;
    this.complete = true;
    this.#first.digest = this.#whole === undefined ? entry.chunkDigest : `sha256:${await this.#whole.hex()}`;
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
