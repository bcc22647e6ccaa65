import { createSpool } from '#runtime/spool';
import { abortable } from '../bytes/stream.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { decompressed } from '../compression/codecs.ts';
import { OciTarError } from '../errors.ts';
import type { Spool } from '../runtime/spool.ts';
import { encodeHeader } from '../tar/encode.ts';
import { BlobBuilder } from './blob-builder.ts';
import type { SeekableOptions, SeekableReport } from './blob-builder.ts';
import { indexForBuild, missingFiles, orderOf } from './sort.ts';
import type { Place, TarIndex } from './sort.ts';
import { landmarkContents, noPrefetchLandmark, prefetchLandmark } from './toc.ts';

export interface BuildOptions extends SeekableOptions {
  /** Files to be put first, in this order: `foo/bar`, `/foo/bar`, `./foo/bar` and `../foo/bar` are one path. */
  readonly prioritizedFiles?: readonly string[];
  /** Whether a prioritized file that is not there is an error (NOT_FOUND, the default) or told in the report. */
  readonly missingPrioritized?: 'error' | 'report';
  /** Keeps every byte of the tar, as it streams by: no order, no landmark. INVALID_ARGUMENT with prioritized files. */
  readonly lossless?: boolean;
  /** The most bytes that a compressed input may decompress to; none by default. LIMIT_EXCEEDED. */
  readonly inputLimit?: number;
}

export interface BuildReport extends SeekableReport {
  /** Prioritized files that are not in the tar, as they were asked for. */
  readonly missingPrioritized: readonly string[];
}

/** A seekable layer in the making. */
export interface SeekableBuild {
  /** The blob, to be read once and to its end. Errors of the input come out here. */
  readonly blob: ByteStream;
  /** INVALID_ARGUMENT before the blob has been read to its end. */
  report(): BuildReport;
}

/**
 * Makes a seekable layer of a tar, plain or compressed with gzip or zstd. Of several entries with one name the last stays, at its place; the
 * prioritized files come first, then a landmark, then all others. The same tar and options give the same bytes, however
 * many cores there are. A plain tar at rest is read where it is; any other input waits in a temporary file, but for lossless
 * layers. Memory does not grow with the input but by the TOC.
 *
 * INVALID_TAR, INVALID_COMPRESSION; UNSUPPORTED for entries that a TOC cannot have; INVALID_TOC where the tar is no tree that
 * readers would agree on (`layerTree`).
 */
export function buildSeekable(tar: ByteStream | ByteSource, options: BuildOptions = {}): SeekableBuild {
  const { prioritizedFiles = [], lossless = false } = options;
  if (lossless && prioritizedFiles.length > 0) {
    throw new OciTarError('INVALID_ARGUMENT', 'a lossless layer keeps the order of its tar, so no files can be prioritized');
  }
  const builder = new BlobBuilder(options);
  const missing: string[] = [];
  return {
    blob: abortable(lossless ? losslessBlob(builder, tar, options) : sortedBlob(builder, tar, options, missing), options.signal),
    report: () => ({ ...builder.report(), missingPrioritized: missing }),
  };
}

async function* losslessBlob(builder: BlobBuilder, tar: ByteStream | ByteSource, { inputLimit }: BuildOptions): ByteStream {
  try {
    const { bytes } = await decompressed(isSource(tar) ? tar.read() : tar, limitOf(inputLimit));
    yield* builder.append([bytes], true);
    yield* builder.end();
  } finally {
    builder.dispose();
  }
}

async function* sortedBlob(builder: BlobBuilder, tar: ByteStream | ByteSource, options: BuildOptions, missing: string[]): ByteStream {
  const { prioritizedFiles = [], signal } = options;
  const input = await atRest(tar, options);
  try {
    const index = await indexForBuild(input.source, signal);
    const order = orderOf(index.places, prioritizedFiles);
    missing.push(...order.missing);
    if (missing.length > 0 && options.missingPrioritized !== 'report') throw missingFiles(missing);
    const landmark = prioritizedFiles.length > 0 ? prefetchLandmark : noPrefetchLandmark;
    yield* builder.append(sortedTar(input.source, index, order.prioritized, landmark, order.others), false);
    yield* builder.end();
  } finally {
    builder.dispose();
    await input.spool?.dispose();
  }
}

/** Pieces of the tar in their new order. */
function* sortedTar(tar: ByteSource, index: TarIndex, prioritized: readonly Place[], landmark: string, others: readonly Place[]): Generator<ByteStream, void, void> {
  yield* inRows(tar, index, prioritized);
  yield one(encodeHeader({ path: landmark, type: 'file', size: 1, mode: 0 }), Uint8Array.of(landmarkContents), new Uint8Array(511));
  yield* inRows(tar, index, others);
}

/** Entries that follow each other in the input are read in one go, with global headers between them. */
function* inRows(tar: ByteSource, index: TarIndex, places: readonly Place[]): Generator<ByteStream, void, void> {
  for (let at = 0; at < places.length; ) {
    const first = places[at];
    let last = first;
    at += 1;
    for (let next = places[at]; next !== undefined && next.index === (last?.index ?? 0) + 1; next = places[at]) {
      last = next;
      at += 1;
    }
    if (first === undefined || last === undefined) return;
    yield placed(tar, index, first, last);
  }
}

/** The bytes from one entry to another, after the global headers that hold for the first. */
async function* placed(tar: ByteSource, index: TarIndex, first: Place, last: Place): ByteStream {
  for (const { start, end } of index.globals.slice(0, first.globals)) yield* tar.read(start, end);
  yield* cut(tar.read(first.start, last.end));
}

/** All chunks of a run are digested together, each in memory of its own where threads do it; a source in memory gives everything as one run. */
const longestRun = 1024 * 1024;

async function* cut(bytes: ByteStream): ByteStream {
  for await (const run of bytes) for (let at = 0; at < run.length; at += longestRun) yield run.subarray(at, at + longestRun);
}

async function* one(...runs: readonly Uint8Array[]): ByteStream {
  yield* runs;
}

/** The plain tar as a source: the input itself, or a copy of it in a spool. */
async function atRest(tar: ByteStream | ByteSource, { signal, inputLimit }: BuildOptions): Promise<{ readonly source: ByteSource; readonly spool?: Spool }> {
  const { codec, bytes, close } = await decompressed(isSource(tar) ? tar.read() : tar, limitOf(inputLimit));
  if (codec.name === 'none' && isSource(tar)) {
    await close();
    return { source: tar };
  }
  const spool = await createSpool();
  try {
    for await (const run of bytes) {
      signal?.throwIfAborted();
      await spool.write(run);
    }
    return { source: await spool.source(), spool };
  } catch (error) {
    await spool.dispose();
    throw error;
  }
}

function limitOf(limit: number | undefined): { readonly limit?: number } {
  return limit === undefined ? {} : { limit };
}

/** Streams of Node have a `read` of their own. */
function isSource(tar: ByteStream | ByteSource): tar is ByteSource {
  return !(Symbol.asyncIterator in tar);
}

