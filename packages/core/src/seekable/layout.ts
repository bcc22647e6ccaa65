import { createDigester } from '#runtime/digester';
import { join } from '../bytes/source.ts';
import { OciTarError } from '../errors.ts';
import type { Digester } from '../runtime/digester.ts';
import { formatDigest } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { blockSize } from '../tar/block.ts';
import { encodeHeader } from '../tar/encode.ts';
import type { TarEntry } from '../tar/entry.ts';
import type { TarToken } from '../tar/tokens.ts';
import { cleanName } from './clean-name.ts';
import { Drafter } from './draft.ts';
import type { DraftEntry, InvalidNames } from './draft.ts';
import { emptyDigest } from './empty-digest.ts';
import { shown } from './failures.ts';
import type { BlobCompressor } from './format.ts';
import { fixedChunks, OpenFile } from './open-file.ts';
import { newSegment } from './segment.ts';
import type { Segment } from './segment.ts';
import { noPrefetchLandmark, prefetchLandmark, tocTarName } from './toc.ts';

/**
 * Headers in a row, or what follows the end of the archive, are cut after so many bytes, so that no member has to be larger
 * than memory allows. 8 MiB are some 10,000 entries without content.
 */
const longestTail = 8 * 1024 * 1024;

export interface LayoutOptions {
  /** Bytes of a file that may be in one chunk. */
  readonly chunkSize: number;
  readonly invalidNames?: InvalidNames;
  readonly compressor: Pick<BlobCompressor, 'chunker' | 'chunksAlone' | 'observe' | 'takesTocFile'>;
}

/**
 * Lays a tar out in segments and writes its TOC down, token by token. A header goes into the open segment; before each chunk of a file
 * that segment is closed and the next one opened; padding and what follows stay in the last chunk's.
 */
export class Layout {
  readonly #options: LayoutOptions;
  readonly #drafter: Drafter;
  /** Made with the first bytes: a thread may stand behind it, which is to be given back. */
  #diff: Digester | undefined;
  readonly #closed: Segment[] = [];
  #open: Segment = newSegment();
  /** Bytes in the open segment that are not its chunk's. */
  #tail = 0;
  #file: OpenFile | undefined;
  /** Content that waits for what comes after it. */
  #held: Uint8Array | undefined;
  /** The entry that is being read is left out. */
  #dropped = false;
  /** What has to be over before the next token. */
  #waits: Promise<unknown>[] = [];
  readonly #wait = (promise: Promise<unknown>): void => {
    // Thrown where it is awaited, if nothing else is thrown before.
    promise.catch(() => {});
    this.#waits.push(promise);
  };

  readonly entries: DraftEntry[] = [];
  /** Bytes of the tar so far. */
  tarSize = 0;
  /** The archive has had its end marker. */
  ended = false;
  /** But one block of zeros instead of two. */
  endedShort = false;

  constructor(options: LayoutOptions) {
    this.#options = options;
    this.#drafter = new Drafter(options.invalidNames);
  }

  /**
   * Takes a token with every byte as it is. The next may come when the promise is kept, if there is one. INVALID_ARGUMENT where there is a TOC already; UNSUPPORTED for what a
   * TOC cannot say.
   */
  exact(token: TarToken): Promise<unknown> | void {
    const { takesTocFile = false } = this.#options.compressor;
    if (token.kind === 'header' && !takesTocFile && cleanName(token.entry.path) === tocTarName) throw hasToc(token.entry);
    if (token.kind === 'end') {
      this.ended = true;
      this.endedShort = token.bytes.length < 2 * blockSize;
    }
    if (token.kind === 'header') this.#header(this.#drafter.draft(token.entry));
    return this.#take(token);
  }

  /** The same with headers written anew; a TOC, global headers, and the end of the archive are left out. */
  rewritten(token: TarToken): Promise<unknown> | void {
    if (token.kind === 'header') {
      const { entry } = token;
      this.#dropped = cleanName(entry.path) === tocTarName;
      if (this.#dropped) return undefined;
      this.#header(this.#drafter.draft(entry));
      return this.#take({ ...token, bytes: encodeHeader(entry) });
    }
    if (this.#dropped || (token.kind !== 'data' && token.kind !== 'padding')) return undefined;
    return this.#take(token.kind === 'padding' ? { ...token, bytes: zeros.subarray(0, token.bytes.length) } : token);
  }

  /** Ends the archive, with a marker if it is to have one. */
  async end(marker: boolean): Promise<void> {
    if (marker) await this.#take({ kind: 'end', offset: this.tarSize, bytes: zeros.subarray(0, 2 * blockSize) });
    if (this.#open.size > 0) this.#close();
  }

  /** The segments that were closed since the last call. */
  closed(): Segment[] {
    return this.#closed.splice(0);
  }

  /** Takes what else counts as tar into the diffID. */
  async count(tar: readonly Uint8Array[]): Promise<void> {
    for (const bytes of tar) {
      this.#count(bytes);
      await this.#waited();
    }
  }

  /** The digest of all of the tar. Ends the layout. */
  async diffID(): Promise<Digest> {
    return formatDigest('sha256', await this.#digester().hex());
  }

  dispose(): void {
    this.#diff?.dispose();
    this.#file?.dispose();
  }

  #take(token: TarToken): Promise<unknown> | void {
    const observing = this.#options.compressor.observe?.({ ...token, offset: this.tarSize });
    if (observing !== undefined) return observing.then(() => this.#observed(token));
    return this.#observed(token);
  }

  #observed({ kind, bytes }: TarToken): Promise<unknown> | void {
    this.#count(bytes);
    if (kind === 'data') {
      this.#data(bytes);
    } else {
      if (this.#open.size > 0 && (this.#tail >= longestTail || this.#chunkIsAlone())) this.#close();
      this.#tail += bytes.length;
      this.#add(bytes);
    }
    return this.#waited();
  }

  #waited(): Promise<unknown> | void {
    if (this.#waits.length > 0) return Promise.all(this.#waits.splice(0));
  }

  #header(draft: DraftEntry): void {
    const { size = 0 } = draft;
    if (size > 0) {
      const chunker = this.#options.compressor.chunker?.(size) ?? fixedChunks(this.#options.chunkSize);
      this.#file = new OpenFile(draft, size, chunker, this.#wait);
      return;
    }
    if (draft.type === 'reg') draft.digest = emptyDigest;
    this.entries.push(draft);
  }

  #data(run: Uint8Array): void {
    let bytes = this.#held === undefined ? run : join([this.#held, run]);
    this.#held = undefined;
    while (bytes.length > 0) {
      const file = this.#file;
      if (file === undefined) throw new OciTarError('INVALID_TAR', 'the tar has content that belongs to no file');
      const started = file.startChunk(this.#options.chunkSize);
      if (started !== undefined) {
        if (this.#open.size > 0) this.#close();
        this.entries.push(started);
        this.#open = newSegment(started, isLandmark(started.name));
      }
      const used = file.take(bytes);
      if (used === undefined) {
        this.#held = bytes;
        return;
      }
      this.#add(used < bytes.length ? bytes.subarray(0, used) : bytes);
      bytes = bytes.subarray(used);
      if (file.complete) this.#file = undefined;
    }
  }

  #add(bytes: Uint8Array): void {
    this.#open.parts.push(bytes);
    this.#open.size += bytes.length;
  }

  #count(bytes: Uint8Array): void {
    this.tarSize += bytes.length;
    const behind = this.#digester().update(bytes);
    if (behind !== undefined) this.#wait(behind);
  }

  #digester(): Digester {
    this.#diff ??= createDigester('sha256');
    return this.#diff;
  }

  #chunkIsAlone(): boolean {
    return this.#options.compressor.chunksAlone === true && this.#open.chunk !== undefined;
  }

  #close(): void {
    this.#closed.push(this.#open);
    this.#open = newSegment();
    this.#tail = 0;
  }
}

/** Padding, and the end of an archive. */
const zeros = new Uint8Array(2 * blockSize);

function isLandmark(name: string): boolean {
  const clean = cleanName(name);
  return clean === prefetchLandmark || clean === noPrefetchLandmark;
}

function hasToc(entry: TarEntry): OciTarError {
  return new OciTarError('INVALID_ARGUMENT', `the tar has a TOC already (${shown(entry.path)}), which cannot be replaced without changing its bytes`, {
    subject: entry.path,
    offset: entry.offset,
    hint: 'unpack the layer first, or do not ask for a lossless one',
  });
}

