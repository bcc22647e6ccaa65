import { checkRange } from '../bytes/source.ts';
import { abortable } from '../bytes/stream.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { Digest } from '../spec/digest.ts';
import { readChunks } from './chunk-reader.ts';
import type { ChunkReading, ReadChunk } from './chunk-reader.ts';
import { verifyChunks } from './chunk-verification.ts';
import type { VerifiedChunk } from './chunk-verification.ts';
import { findEntry } from './entry.ts';
import type { SeekableChunk, SeekableEntry } from './entry.ts';
import { shown } from './failures.ts';
import { exactly, readFooter } from './footer.ts';
import type { BlobParts } from './footer.ts';
import { defaultTocLimit } from './format.ts';
import type { Decompressor, ParsedToc } from './format.ts';
import type { Toc } from './toc.ts';
import { layerTree } from './tree.ts';
import type { LayerTree } from './tree.ts';
import { chunkVerifiers } from './verifiers.ts';
import type { ChunkVerifiers } from './verifiers.ts';

/** Called with how long a step took, in milliseconds. */
export interface OpenTelemetry {
  /** Reading the end of the blob. */
  readonly footer?: (milliseconds: number) => void;
  /** Fetching the TOC; not called where it came with the footer, or is not in the blob. */
  readonly toc?: (milliseconds: number) => void;
  /** Decompressing and parsing the TOC; with fetching one that is not in the blob. */
  readonly parse?: (milliseconds: number) => void;
  /** Making a tree of the TOC. */
  readonly tree?: (milliseconds: number) => void;
}

export interface OpenSeekableOptions {
  /** Formats to be tried after eStargz, stargz and zstd:chunked. */
  readonly decompressors?: readonly Decompressor[];
  /** Where the TOC starts, if it is known: then it is read together with the footer. */
  readonly tocOffset?: number;
  /** Bytes that the TOC may have, compressed and decompressed: 150 MiB by default. LIMIT_EXCEEDED. */
  readonly tocLimit?: number;
  /** Paths that the layer may have, directories that are not written down included: 1,000,000 by default. LIMIT_EXCEEDED. */
  readonly entryLimit?: number;
  /** Bytes that may have to be decompressed to have one chunk, which is held in memory: 256 MiB by default. LIMIT_EXCEEDED. */
  readonly memberLimit?: number;
  /** Reads chunks that the TOC has no digest for, as in layers of before eStargz. They are INVALID_TOC by default. */
  readonly unverified?: boolean;
  readonly telemetry?: OpenTelemetry;
  readonly signal?: AbortSignal;
}

export interface OpenFileOptions {
  /**
   * Is given the other chunks that had to be decompressed on the way, so that they can be kept: those that lie before the wanted one in
   * its member. Verified as that one is.
   */
  readonly preRead?: (chunk: SeekableChunk, bytes: Uint8Array) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

const defaultMemberLimit = 256 * 1024 * 1024;

/** The TOC of most layers comes to less, so that it is there with the footer. */
const tailSize = 64 * 1024;

/**
 * Opens a seekable layer by its footer and its TOC, in at most two reads. INVALID_TOC where it has no footer or its TOC is not one that all
 * readers would read alike; nothing vouches for that TOC before `verifyToc`. INVALID_JSON, INVALID_COMPRESSION, LIMIT_EXCEEDED.
 */
export async function openSeekable(blob: ByteSource, options: OpenSeekableOptions = {}): Promise<SeekableLayer> {
  return openLayer(blob, options);
}

/** The same; `onParts` hears what kind of layer it is before the TOC is read. */
export async function openLayer(blob: ByteSource, options: OpenSeekableOptions, onParts?: (parts: BlobParts) => void): Promise<SeekableLayer> {
  const { decompressors = [], telemetry = {}, tocLimit = defaultTocLimit, signal } = options;
  signal?.throwIfAborted();
  const started = performance.now();
  const tailStart = startOfTail(blob.size, options.tocOffset, tocLimit, decompressors);
  const tail = await exactly(abortable(blob.read(tailStart), signal), blob.size - tailStart);
  telemetry.footer?.(performance.now() - started);
  const parts = readFooter(tail, blob.size, decompressors);
  onParts?.(parts);
  const fetch = { time: 0 };
  const begun = performance.now();
  const parsed = await parts.decompressor.parseToc(tocBytes(blob, parts, tail, tailStart, tocLimit, fetch, signal), { limit: tocLimit });
  const read = performance.now();
  if (parts.tocOffset !== undefined && parts.tocOffset < tailStart) telemetry.toc?.(fetch.time);
  telemetry.parse?.(read - begun - fetch.time);
  const { payloadSize } = parts;
  const tree = layerTree(parsed.toc, { payloadSize, ...(options.entryLimit === undefined ? {} : { entryLimit: options.entryLimit }) });
  telemetry.tree?.(performance.now() - read);
  return new SeekableLayer(blob, parts, parsed, tree, options);
}

function startOfTail(size: number, tocOffset: number | undefined, tocLimit: number, decompressors: readonly Decompressor[]): number {
  const longestFooter = Math.max(0, ...decompressors.map(({ footerSize }) => footerSize));
  const usual = Math.max(0, size - Math.max(tailSize, longestFooter));
  if (tocOffset === undefined) return usual;
  checkRange(tocOffset, size, size);
  return size - tocOffset > tocLimit ? usual : Math.min(usual, tocOffset);
}

function tocBytes(blob: ByteSource, parts: BlobParts, tail: Uint8Array, tailStart: number, limit: number, fetch: { time: number }, signal: AbortSignal | undefined): ByteStream | undefined {
  const { tocOffset, tocSize } = parts;
  if (tocOffset === undefined) return undefined;
  if (tocSize > limit) {
    throw new OciTarError('LIMIT_EXCEEDED', `the TOC has ${tocSize} compressed bytes, more than the limit of ${limit}`, { limit, actual: tocSize, offset: tocOffset });
  }
  if (tocOffset < tailStart) return timed(abortable(blob.read(tocOffset, tocOffset + tocSize), signal), fetch);
  return (async function* () {
    yield tail.subarray(tocOffset - tailStart, tocOffset - tailStart + tocSize);
  })();
}

/** Adds up how long a stream was waited for, in milliseconds. */
async function* timed(bytes: ByteStream, fetch: { time: number }): ByteStream {
  let waited = performance.now();
  for await (const run of bytes) {
    fetch.time += performance.now() - waited;
    yield run;
    waited = performance.now();
  }
  fetch.time += performance.now() - waited;
}

/** A seekable layer that is open. Reads are independent of each other; nothing has to be closed. */
export class SeekableLayer {
  readonly blob: ByteSource;
  /** Where the parts of the blob are, and what reads them. */
  readonly parts: BlobParts;
  readonly toc: Toc;
  /** The digest of the TOC that was read. An image's annotation says what it should be: see `verifyToc`. */
  readonly tocDigest: Digest;
  readonly #otherDigests: readonly Digest[];
  readonly root: SeekableEntry;
  /** All content, in the order of the blob. */
  readonly chunks: readonly SeekableChunk[];
  readonly #reading: Omit<ChunkReading, 'signal'>;
  #verifiers: ChunkVerifiers | undefined;

  /** See `openSeekable`. */
  constructor(blob: ByteSource, parts: BlobParts, { toc, tocDigest, otherDigests = [] }: ParsedToc, tree: LayerTree, options: OpenSeekableOptions) {
    this.blob = blob;
    this.parts = parts;
    this.toc = toc;
    this.tocDigest = tocDigest;
    this.#otherDigests = otherDigests;
    this.root = tree.root;
    this.chunks = tree.chunks;
    const { memberLimit = defaultMemberLimit, unverified = false } = options;
    this.#reading = { blob, decompressor: parts.decompressor, memberLimit, unverified };
  }

  /** The entry of a path, hardlinks followed: `a/b`, `/a/b`, `./a/b/` and `../a/b` are one. '' is the root. Undefined where there is none. */
  lookup(path: string): SeekableEntry | undefined {
    return findEntry(this.root, path)?.target;
  }

  /** The same with hardlinks as such. */
  entry(path: string): SeekableEntry | undefined {
    return findEntry(this.root, path);
  }

  /** Every entry, directories before what is in them; hardlinks as such; the root first. */
  *entries(): Generator<SeekableEntry, void, void> {
    const waiting: SeekableEntry[] = [this.root];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      yield next;
      for (const child of [...next.children.values()].toReversed()) waiting.push(child);
    }
  }

  /** The chunk that has the byte at `offset` of a file. Undefined where there is no such file or byte. */
  chunkEntryForOffset(path: string, offset: number): SeekableChunk | undefined {
    const { chunks, size } = this.lookup(path) ?? { chunks: [], size: 0 };
    return offset >= 0 && offset < size ? chunks[chunkIndex(chunks, offset)] : undefined;
  }

  /**
   * The content of a regular file, hardlinks followed. Each read fetches the members that it needs in one ranged read; every chunk is verified against
   * the TOC before a byte of it is handed out (DIGEST_MISMATCH). NOT_FOUND where there is no such file, INVALID_ARGUMENT where it is something else.
   */
  openFile(path: string, options: OpenFileOptions = {}): ByteSource {
    const entry = this.lookup(path);
    if (entry === undefined) throw new OciTarError('NOT_FOUND', `${shown(path)} is not in the layer`, { subject: path });
    if (entry.type !== 'reg') throw new OciTarError('INVALID_ARGUMENT', `${shown(path)} is no regular file but of type ${entry.type}`, { subject: path });
    const { size, chunks } = entry;
    return {
      size,
      read: (start = 0, end = size) => {
        checkRange(start, end, size);
        return this.#content(chunks, start, end, options);
      },
    };
  }

  /**
   * The content of chunks, which are in the order of `chunks`, in one ranged read from the first to the last. Each is verified before it is
   * handed out; errors as in `openFile`.
   */
  read(chunks: readonly SeekableChunk[], options: { readonly signal?: AbortSignal } = {}): AsyncIterable<ReadChunk> {
    return readChunks(chunks, { ...this.#reading, signal: options.signal });
  }

  /** Reads all content and verifies each chunk, over the cores; some at a time, and the content only of files of several chunks. Errors as in `read`. */
  verifyChunks(options: { readonly signal?: AbortSignal } = {}): AsyncIterable<readonly VerifiedChunk[]> {
    return verifyChunks(this.chunks, { ...this.#reading, signal: options.signal });
  }

  /** What every chunk must be, when the TOC's digest is the one that is vouched for. DIGEST_MISMATCH; INVALID_TOC where a chunk has no digest. */
  verifyToc(tocDigest: Digest): ChunkVerifiers {
    if (this.tocDigest !== tocDigest && !this.#otherDigests.includes(tocDigest)) {
      throw new OciTarError('DIGEST_MISMATCH', `the TOC's digest is ${this.tocDigest}, expected ${tocDigest}`, { expected: tocDigest, actual: this.tocDigest });
    }
    return this.verifiers();
  }

  /** The same for a TOC that nothing vouches for; prefer `verifyToc`. */
  verifiers(): ChunkVerifiers {
    return (this.#verifiers ??= chunkVerifiers(this.chunks));
  }

  async *#content(chunks: readonly SeekableChunk[], start: number, end: number, { preRead, signal }: OpenFileOptions): ByteStream {
    if (start === end) return;
    const wanted = chunks.slice(chunkIndex(chunks, start), chunkIndex(chunks, end - 1) + 1);
    const read = preRead === undefined ? wanted : this.#withThoseBefore(wanted);
    const isWanted = new Set(wanted);
    for await (const { chunk, bytes } of readChunks(read, { ...this.#reading, signal })) {
      if (isWanted.has(chunk)) yield bytes.subarray(Math.max(0, start - chunk.chunkOffset), Math.min(bytes.length, end - chunk.chunkOffset));
      else await preRead?.(chunk, bytes);
    }
  }

  /** With the chunks that lie before the first of them in its member. */
  #withThoseBefore(chunks: readonly SeekableChunk[]): readonly SeekableChunk[] {
    const [first] = chunks;
    if (first === undefined) return chunks;
    let at = this.#placeOf(first);
    while (this.chunks[at - 1]?.offset === first.offset) at -= 1;
    return [...this.chunks.slice(at, this.#placeOf(first)), ...chunks];
  }

  /** Number of a chunk among all, by its place in the blob. */
  #placeOf({ offset, innerOffset }: SeekableChunk): number {
    return lastWhere(this.chunks, (chunk) => chunk.offset < offset || (chunk.offset === offset && chunk.innerOffset <= innerOffset));
  }
}

/** Number of the chunk that has the byte at `offset` of its file. */
function chunkIndex(chunks: readonly SeekableChunk[], offset: number): number {
  return lastWhere(chunks, (chunk) => chunk.chunkOffset <= offset);
}

/** Index of the last item for which this holds, where it holds for a first part of them; -1 where for none. */
function lastWhere<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && holds(item)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

