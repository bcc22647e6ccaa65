import { OciTarError } from '../errors.ts';
import type { ByteStream } from '../bytes/types.ts';
import { blockSize, paddingOf } from './block.ts';
import { encodeHeader } from './encode.ts';
import type { HeaderFields } from './encode.ts';

/** An entry to be written. What `entries` reads is one. */
export interface PackEntry extends HeaderFields {
  /** The body, exactly `size` bytes; nothing by default. A stream that can be iterated synchronously too is. */
  readonly data?: ByteStream | Uint8Array;
}

/** A piece of an archive being written. The bytes of all pieces, joined, are the archive. */
export type TarPiece =
  /** The header of an entry and any extension before it: 512 bytes and more. */
  | { readonly kind: 'header'; readonly path: string; readonly bytes: Uint8Array }
  /** A run of its body. */
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** Zeros: up to a whole block after a body (1 to 511), or, with its `index`, one of the two blocks that end the archive. */
  | { readonly kind: 'padding'; readonly bytes: Uint8Array; readonly index?: 0 | 1 }
  /** The archive is whole. No bytes. */
  | { readonly kind: 'end'; readonly bytes: Uint8Array };

/**
 * Writes entries, in their order, as a ustar archive with PAX headers where they are needed, and two blocks of
 * zeros at the end: the pieces of a `Packer`, pulled one by one. Equal entries give equal bytes. INVALID_ARGUMENT for what
 * a header cannot hold, SIZE_MISMATCH where a body is not as long as its entry says. The body of a hardlink is left
 * out, since most readers would not expect one.
 */
export async function* pack(entries: AsyncIterable<PackEntry> | Iterable<PackEntry>): AsyncGenerator<TarPiece, void, void> {
  const packer = new Packer(entries);
  try {
    for (let piece = await packer.next(); piece !== undefined; piece = await packer.next()) yield piece;
  } finally {
    await packer.close();
  }
}

/** What a packer does next. */
export type PackStage =
  /** Take the next entry; there may be none. */
  | { readonly at: 'open' }
  /** Write its header. */
  | { readonly at: 'header'; readonly entry: PackEntry }
  /** Hand out runs of its body, of which `read` bytes have been. */
  | { readonly at: 'read'; readonly entry: PackEntry; readonly runs: Runs; readonly read: number }
  /** Fill up the last block of a body, or write one of the two blocks that end the archive. */
  | { readonly at: 'padding'; readonly size: number; readonly index?: 0 | 1 }
  /** Say that the archive is whole, then nothing more. Whatever fails leads here too. */
  | { readonly at: 'end'; readonly told: boolean };

type Runs = AsyncIterator<Uint8Array> | Iterator<Uint8Array>;

/**
 * An archive in the making, as a machine of five stages: open → header → read → padding → open …, and when there is no
 * entry left, padding twice → end. Each call of `next` steps through stages until one of them has a piece. It works
 * only when it is asked, so whoever pulls the pieces sets the pace.
 */
export class Packer {
  readonly #entries: AsyncIterator<PackEntry> | Iterator<PackEntry>;
  #stage: PackStage = { at: 'open' };
  #closed = false;

  constructor(entries: AsyncIterable<PackEntry> | Iterable<PackEntry>) {
    this.#entries = Symbol.asyncIterator in entries ? entries[Symbol.asyncIterator]() : entries[Symbol.iterator]();
  }

  get stage(): PackStage['at'] {
    return this.#stage.at;
  }

  /** The next piece; undefined after the last one, and after an error. */
  async next(): Promise<TarPiece | undefined> {
    try {
      for (;;) {
        const step = this.#step(this.#stage);
        const piece = step instanceof Promise ? await step : step;
        if (piece !== undefined || (this.#stage.at === 'end' && this.#stage.told)) return piece;
      }
    } catch (error) {
      await this.close().catch(() => {});
      throw error;
    }
  }

  /** Gives up what is open: a body, and the entries. Harmless when the archive is whole. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const stage = this.#stage;
    this.#stage = { at: 'end', told: true };
    try {
      if (stage.at === 'read') await stage.runs.return?.();
    } finally {
      await this.#entries.return?.();
    }
  }

  #step(stage: PackStage): Promise<TarPiece | undefined> | TarPiece | undefined {
    switch (stage.at) {
      case 'open':
        return this.#open();
      case 'header':
        return this.#header(stage.entry);
      case 'read':
        return this.#read(stage.entry, stage.runs, stage.read);
      case 'padding':
        return this.#padding(stage.size, stage.index);
      case 'end':
        this.#stage = { at: 'end', told: true };
        return stage.told ? undefined : { kind: 'end', bytes: nothing };
    }
  }

  async #open(): Promise<undefined> {
    const next = await this.#entries.next();
    if (next.done === true) this.#closed = true;
    this.#stage = next.done === true ? { at: 'padding', size: blockSize, index: 0 } : { at: 'header', entry: next.value };
  }

  #header(entry: PackEntry): TarPiece {
    const bodiless = entry.type === 'hardlink' && entry.size !== undefined && entry.size > 0;
    const written = bodiless ? { ...entry, size: 0 } : entry;
    const bytes = encodeHeader(written);
    this.#stage = bodiless ? { at: 'open' } : { at: 'read', entry, runs: runsOf(entry.data), read: 0 };
    return { kind: 'header', path: entry.path, bytes };
  }

  #read(entry: PackEntry, runs: Runs, before: number): Promise<TarPiece | undefined> | TarPiece | undefined {
    const next = runs.next();
    return next instanceof Promise ? next.then((run) => this.#run(entry, runs, before, run)) : this.#run(entry, runs, before, next);
  }

  #run(entry: PackEntry, runs: Runs, before: number, next: IteratorResult<Uint8Array>): TarPiece | undefined {
    const expected = entry.size ?? 0;
    if (next.done === true) {
      if (before < expected) throw mismatch(entry.path, expected, before, 'shorter');
      const size = paddingOf(expected);
      this.#stage = size > 0 ? { at: 'padding', size } : { at: 'open' };
      return undefined;
    }
    const bytes = next.value;
    const read = before + bytes.length;
    if (read > expected) throw mismatch(entry.path, expected, read, 'longer');
    this.#stage = { at: 'read', entry, runs, read };
    return bytes.length === 0 ? undefined : { kind: 'data', bytes };
  }

  #padding(size: number, index: 0 | 1 | undefined): TarPiece {
    const bytes = zeros.subarray(0, size);
    if (index === undefined) {
      this.#stage = { at: 'open' };
      return { kind: 'padding', bytes };
    }
    this.#stage = index === 0 ? { at: 'padding', size: blockSize, index: 1 } : { at: 'end', told: false };
    return { kind: 'padding', bytes, index };
  }
}

const nothing = new Uint8Array(0);
/** One block for all: whoever reads a piece may keep it but not change it. */
const zeros = new Uint8Array(blockSize);

function runsOf(data: PackEntry['data']): Runs {
  if (data === undefined) return [][Symbol.iterator]();
  if (data instanceof Uint8Array) return [data][Symbol.iterator]();
  // What is at hand is not waited for: that would be half the work for a small file.
  return hasRunsAtHand(data) ? data[Symbol.iterator]() : data[Symbol.asyncIterator]();
}

function hasRunsAtHand(data: ByteStream): data is ByteStream & Iterable<Uint8Array> {
  return Symbol.iterator in data;
}

function mismatch(subject: string, expected: number, actual: number, than: string): OciTarError {
  const size = than === 'longer' ? `${actual} bytes or more` : `${actual} bytes`;
  const message = `the body of ${JSON.stringify(subject)} is ${than} than its entry says: ${size}, not ${expected}`;
  return new OciTarError('SIZE_MISMATCH', message, { subject, expected, actual });
}

/** Length of the runs that small pieces are gathered into: for a tree of small files a quarter of the writes that 64 KiB would take. */
const runSize = 256 * 1024;

/** The bytes of pieces (or tokens), joined: every run but the last is 64 KiB or more; large ones are not copied. */
export async function* pieceBytes(
  pieces: AsyncIterable<{ readonly bytes: Uint8Array }> | Iterable<{ readonly bytes: Uint8Array }>,
): AsyncGenerator<Uint8Array, void, void> {
  // A run belongs to its reader, so each one gets a buffer of its own.
  let buffer = new Uint8Array(runSize);
  let filled = 0;
  for await (const piece of pieces) {
    let { bytes } = piece;
    if (filled > 0 || bytes.length < runSize) {
      const part = bytes.subarray(0, runSize - filled);
      buffer.set(part, filled);
      filled += part.length;
      bytes = bytes.subarray(part.length);
    }
    if (filled === runSize) {
      yield buffer;
      buffer = new Uint8Array(runSize);
      filled = 0;
    }
    if (bytes.length >= runSize) yield bytes;
    else if (bytes.length > 0) {
      buffer.set(bytes);
      filled = bytes.length;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
