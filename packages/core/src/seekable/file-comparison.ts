import { createDigester } from '#runtime/digester';
import type { Verifier } from '../bytes/digest.ts';
import type { Digester } from '../runtime/digester.ts';
import { isZero } from '../tar/block.ts';
import { emptyDigest } from './empty-digest.ts';
import type { SeekableChunk, SeekableEntry } from './entry.ts';
import { invalidToc } from './failures.ts';
import { verifierOf } from './verifiers.ts';
import { checkSame } from './verify.ts';

/** Compares the content of one file of a tar with its chunks: their places, their digests, and the file's. */
export class FileComparison {
  readonly #entry: SeekableEntry;
  readonly #types: readonly (string | undefined)[];
  readonly #starts: ReadonlyMap<number, number>;
  /** None for a file of one chunk, where the digests are compared. */
  readonly #whole: Digester | undefined;
  #index = 0;
  #open: { readonly chunk: SeekableChunk; readonly verifier: Verifier; left: number } | undefined;

  /** `starts`: where members start in the tar, by their place in the blob. */
  constructor(entry: SeekableEntry, chunkTypes: readonly (string | undefined)[], starts: ReadonlyMap<number, number>) {
    this.#entry = entry;
    this.#types = chunkTypes;
    this.#starts = starts;
    this.#whole = entry.chunks.length > 1 ? createDigester('sha256', { size: entry.size }) : undefined;
  }

  /** A run of the content, from `position` of the tar on. */
  async take(run: Uint8Array, position: number): Promise<void> {
    await this.#whole?.update(run);
    for (let at = 0; at < run.length; ) {
      this.#open ??= this.#start(position + at);
      const open = this.#open;
      const part = run.subarray(at, at + open.left);
      this.#checkType(open.chunk, part);
      await open.verifier.update(part);
      open.left -= part.length;
      at += part.length;
      if (open.left > 0) continue;
      await open.verifier.finish();
      this.#open = undefined;
      this.#index += 1;
    }
  }

  async finish(): Promise<void> {
    const { chunks, size } = this.#entry;
    // The tar's size is the TOC's, so the content has come to its end.
    if (size === 0) checkSame(this.#entry, emptyDigest);
    else if (this.#whole === undefined) checkSame(this.#entry, chunks[0]?.chunkDigest ?? this.#entry.toc?.digest);
    else checkSame(this.#entry, `sha256:${await this.#whole.hex()}`);
  }

  dispose(): void {
    this.#whole?.dispose();
    this.#open?.verifier.dispose();
  }

  #start(position: number): { readonly chunk: SeekableChunk; readonly verifier: Verifier; left: number } {
    const chunk = this.#entry.chunks[this.#index];
    if (chunk === undefined) throw invalidToc('has more content in the tar', this.#entry.path, { offset: position });
    const start = this.#starts.get(chunk.offset);
    if (start === undefined || start + chunk.innerOffset !== position) {
      const actual = start === undefined ? 'not there yet' : `byte ${start + chunk.innerOffset} of the tar`;
      throw invalidToc(`has its content from byte ${chunk.chunkOffset} on in the member at ${chunk.offset}, which is ${actual}; in the tar it is at byte ${position}`, this.#entry.path, { offset: chunk.offset });
    }
    return { chunk, verifier: verifierOf(chunk), left: chunk.chunkSize };
  }

  #checkType(chunk: SeekableChunk, part: Uint8Array): void {
    const type = this.#types[this.#index] ?? '';
    if (type === '') return;
    if (type !== 'zeros') throw invalidToc(`has a chunk of the unknown type ${JSON.stringify(type)}`, this.#entry.path);
    if (!isZero(part)) throw invalidToc(`calls its chunk at byte ${chunk.chunkOffset} zeros, which it is not`, this.#entry.path);
  }
}
