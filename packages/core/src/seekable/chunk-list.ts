import { digestProblem } from '../spec/digest.ts';
import type { SeekableChunk, SeekableEntry } from './entry.ts';
import { invalidToc } from './failures.ts';
import type { TocEntry } from './toc.ts';

type Draft = { -readonly [Key in keyof SeekableChunk]: SeekableChunk[Key] };

/** A file whose chunks are being read. */
interface OpenFile {
  readonly entry: SeekableEntry;
  readonly size: number;
  readonly chunks: Draft[];
  /** The file has content up to here. */
  end: number;
}

/**
 * Reads where the content of files is, and refuses what different readers would take differently: gaps and overlaps in a
 * file, content beyond the members or out of order, two chunks in one place.
 */
export class ChunkList {
  readonly #payloadSize: number;
  #file: OpenFile | undefined;
  #last: Draft | undefined;
  /** All chunks in the order of the TOC, which is that of the blob. */
  readonly all: Draft[] = [];

  constructor(payloadSize: number) {
    this.#payloadSize = payloadSize;
  }

  /** Starts a regular file. Its chunks are filled in as they come. */
  file(entry: SeekableEntry, toc: TocEntry): readonly SeekableChunk[] {
    this.#endFile();
    const { size = 0, chunkSize = 0, name } = toc;
    checkDigest(toc.digest, 'digest', name);
    if (size === 0) return [];
    if ((toc.chunkOffset ?? 0) !== 0) throw invalidToc(`starts at byte ${toc.chunkOffset} of its file`, name);
    const chunks: Draft[] = [];
    this.#file = { entry, size, chunks, end: 0 };
    this.#add(this.#file, toc, chunkSize === 0 ? size : chunkSize);
    return chunks;
  }

  /** A further chunk of the last file. */
  chunk(toc: TocEntry): void {
    const file = this.#file;
    if (file === undefined) throw invalidToc('is a chunk that follows no file with content', toc.name);
    const { chunkOffset = 0, chunkSize = 0 } = toc;
    if (chunkOffset !== file.end) {
      throw invalidToc(`has a chunk at byte ${chunkOffset}, where its content has come to byte ${file.end}`, file.entry.path, { expected: file.end, actual: chunkOffset });
    }
    this.#add(file, toc, chunkSize === 0 ? file.size - chunkOffset : chunkSize);
  }

  /** Whatever is no chunk ends the file before it. */
  other(): void {
    this.#endFile();
  }

  /** All have come. */
  finish(): readonly SeekableChunk[] {
    this.#endFile();
    let next = this.#payloadSize;
    for (let at = this.all.length - 1; at >= 0; at--) {
      const chunk = this.all[at];
      if (chunk === undefined) continue;
      const later = this.all[at + 1];
      if (later !== undefined && later.offset !== chunk.offset) next = later.offset;
      chunk.nextOffset = next;
    }
    return this.all;
  }

  #add(file: OpenFile, toc: TocEntry, chunkSize: number): void {
    const { path } = file.entry;
    const { offset = 0, innerOffset = 0 } = toc;
    if (chunkSize <= 0 || chunkSize > file.size - file.end) {
      throw invalidToc(`has a chunk of ${chunkSize} bytes at byte ${file.end} of ${file.size}`, path);
    }
    if (offset >= this.#payloadSize) {
      throw invalidToc(`has content at byte ${offset} of the blob, where the members end at ${this.#payloadSize}`, path, { offset, limit: this.#payloadSize });
    }
    if (!Number.isSafeInteger(innerOffset + chunkSize)) throw invalidToc(`has content at byte ${innerOffset} of a member`, path);
    // Mostly they are the same, and the file's has been looked at.
    if (toc.chunkDigest !== toc.digest) checkDigest(toc.chunkDigest, 'chunkDigest', path);
    const before = this.#last;
    if (before !== undefined) checkOrder(before, offset, innerOffset, path);
    const chunk: Draft = {
      entry: file.entry,
      offset,
      innerOffset,
      chunkOffset: file.end,
      chunkSize,
      chunkDigest: toc.chunkDigest === '' ? undefined : toc.chunkDigest,
      nextOffset: 0,
    };
    file.chunks.push(chunk);
    this.all.push(chunk);
    file.end += chunkSize;
    this.#last = chunk;
  }

  #endFile(): void {
    const file = this.#file;
    if (file !== undefined && file.end !== file.size) {
      throw invalidToc(`has chunks for ${file.end} of its ${file.size} bytes`, file.entry.path, { expected: file.size, actual: file.end });
    }
    this.#file = undefined;
  }
}

function checkOrder(before: SeekableChunk, offset: number, innerOffset: number, path: string): void {
  const place = `byte ${offset} of the blob, ${innerOffset} of its member`;
  if (offset < before.offset || (offset === before.offset && innerOffset < before.innerOffset)) {
    throw invalidToc(`has content at ${place}, before that of the entry before it`, path, { offset });
  }
  if (offset === before.offset && innerOffset < before.innerOffset + before.chunkSize) {
    const what = innerOffset === before.innerOffset ? 'where another chunk starts too' : 'inside of another chunk';
    throw invalidToc(`has content at ${place}, ${what}`, path, { offset });
  }
}

function checkDigest(digest: string | undefined, field: string, name: string): void {
  if (digest === undefined || digest === '') return;
  const problem = digestProblem(digest);
  if (problem !== undefined) throw invalidToc(`has a ${field} that is none: ${problem}`, name);
}
