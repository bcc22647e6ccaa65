import { createDigester } from '#runtime/digester';
import { OciTarError } from '../errors.ts';
import { coalesced } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import type { Digester } from '../runtime/digester.ts';
import { formatDigest } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { TokenReader } from '../tar/tokens.ts';
import type { InvalidNames } from './draft.ts';
import type { BlobCompressor, Compressor } from './format.ts';
import { estargz } from './formats/estargz.ts';
import { Layout } from './layout.ts';
import { compressUnit, Units } from './members.ts';
import type { Unit } from './members.ts';
import { ordered } from '../runtime/ordered.ts';
import { layerTree } from './tree.ts';
import type { Toc } from './toc.ts';

/** How a seekable blob is written. */
export interface SeekableOptions {
  /** The most bytes of a file that are in one chunk: 1 to 67,108,864 (64 MiB), 4 MiB by default. */
  readonly chunkSize?: number;
  /**
   * Bytes that a member should have, compressed, before the next one is started: 0 (default) to 16 MiB. Above 0, several small files share a
   * member and the blob gets smaller; stargz-snapshotter before v0.13 cannot read it.
   */
  readonly minChunkSize?: number;
  /** The format; eStargz by default. */
  readonly compressor?: Compressor;
  /** gzip's level for eStargz, 1 to 9, 6 by default. INVALID_ARGUMENT together with `compressor`. */
  readonly level?: number;
  /** Names that are not UTF-8: refused by default (UNSUPPORTED), or written with U+FFFD into the TOC. */
  readonly invalidNames?: InvalidNames;
  /** Members compressed at a time; the blob does not depend on it. As many as the format advises by default. */
  readonly parallelism?: number;
  readonly signal?: AbortSignal;
}

/** What has been written. */
export interface SeekableReport {
  /** Of the blob. */
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  /** Of the blob, decompressed. */
  readonly diffID: Digest;
  /** Bytes of the blob, decompressed. */
  readonly tarSize: number;
  /** By which an image vouches for the TOC. */
  readonly tocDigest: Digest;
  /** For the layer's descriptor. */
  readonly annotations: Readonly<Record<string, string>>;
  /** What the layer's media type has after `tar`. */
  readonly suffix: string;
  readonly toc: Toc;
  /** Where the TOC is not in the blob: the blob to keep beside it. */
  readonly externalToc?: Uint8Array;
}

const largestChunk = 64 * 1024 * 1024;
const largestMinimum = 16 * 1024 * 1024;
const defaultChunk = 4 * 1024 * 1024;

/** Bytes of the tar that are held for each core while they are compressed. */
const aheadOfEach = 8 * 1024 * 1024;
/** Members that wait for each core. */
const waitingForEach = 512;

/** Puts one blob together: tars go in, the blob comes out piece by piece. */
export class BlobBuilder {
  readonly #layout: Layout;
  readonly #units: Units;
  readonly #minChunkSize: number;
  readonly #compressor: BlobCompressor;
  readonly #suffix: string;
  readonly #parallelism: number;
  readonly #signal: AbortSignal | undefined;
  /** Made with the first bytes: a thread may stand behind it, which is to be given back. */
  #digester: Digester | undefined;
  #size = 0;
  /** The last tar was taken over as it is, end and all. */
  #exact = false;
  #report: SeekableReport | undefined;

  /** INVALID_ARGUMENT for options out of range. */
  constructor(options: SeekableOptions = {}) {
    const { chunkSize = defaultChunk, minChunkSize = 0, compressor, level } = options;
    if (compressor !== undefined && level !== undefined) {
      throw new OciTarError('INVALID_ARGUMENT', 'a level goes with the default format only; give it to the compressor');
    }
    checkSize('chunk size', chunkSize, 1, largestChunk);
    checkSize('minimum chunk size', minChunkSize, 0, largestMinimum);
    const format = compressor ?? estargz(level === undefined ? {} : { level });
    const { parallelism = format.parallelism } = options;
    checkSize('parallelism', parallelism, 1, 1024);
    this.#compressor = format.start();
    this.#suffix = format.suffix;
    this.#parallelism = parallelism;
    this.#signal = options.signal;
    if (minChunkSize > 0 && this.#compressor.chunksAlone === true) {
      throw new OciTarError('INVALID_ARGUMENT', `${format.name} has each chunk in a member of its own, so that there is no minimum chunk size`);
    }
    this.#minChunkSize = minChunkSize;
    this.#units = new Units(minChunkSize);
    this.#layout = new Layout({
      chunkSize,
      compressor: this.#compressor,
      ...(options.invalidNames === undefined ? {} : { invalidNames: options.invalidNames }),
    });
  }

  /** Adds entries of tars, one behind the other, with headers written anew, or, `exact`, with every byte. The blob's bytes as far as they are known. */
  append(tars: Iterable<ByteStream>, exact: boolean): ByteStream {
    if (this.#layout.ended) {
      throw new OciTarError('INVALID_ARGUMENT', 'nothing can follow a tar that was appended with its end-of-archive marker: readers would not see it');
    }
    this.#exact = exact;
    return this.#blob(this.#unitsOf(tars, exact));
  }

  /** The end of the blob. Then there is a report. INVALID_TOC where the tars do not make one tree; UNSUPPORTED where a TOC cannot follow the last one. */
  async *end(): ByteStream {
    // What was taken over as it is has its own end, or none, and keeps its diffID where the TOC is elsewhere.
    yield* this.#blob(this.#lastUnits());
    const { entries } = this.#layout;
    const toc: Toc = { version: 1, entries };
    layerTree(toc, { payloadSize: this.#size });
    const { tarSize } = this.#layout;
    const end = await this.#compressor.tocAndFooter({ toc, offset: this.#size, tarSize });
    if (this.#layout.endedShort && end.tar.length > 0) throw endsShort();
    await this.#layout.count(end.tar);
    for (const bytes of end.bytes) {
      await this.#count(bytes);
      yield bytes;
    }
    this.#report = {
      digest: formatDigest('sha256', (await this.#digester?.hex()) ?? ''),
      size: this.#size,
      diffID: await this.#layout.diffID(),
      tarSize: this.#layout.tarSize,
      tocDigest: end.tocDigest,
      annotations: end.annotations,
      suffix: this.#suffix,
      toc,
      ...(end.externalToc === undefined ? {} : { externalToc: end.externalToc }),
    };
  }

  /** INVALID_ARGUMENT before the end has been read. */
  report(): SeekableReport {
    if (this.#report !== undefined) return this.#report;
    throw new OciTarError('INVALID_ARGUMENT', 'the blob has not been read to its end, so its digests are not known');
  }

  /** Frees what stands behind the digests. Harmless at any time. */
  dispose(): void {
    this.#digester?.dispose();
    this.#layout.dispose();
  }

  #blob(units: AsyncIterable<Unit>): ByteStream {
    return coalesced(this.#members(units));
  }

  /** One generator over everything that has arrived: a layer has tens of thousands of tokens, and each that is waited for costs as much as digesting a kilobyte. */
  async *#unitsOf(tars: Iterable<ByteStream>, exact: boolean): AsyncGenerator<Unit, void, void> {
    for (const tar of tars) {
      const reader = new TokenReader(tar, { requireEnd: false, copyHeaders: true });
      try {
        for (;;) {
          const next = reader.next();
          const token = next instanceof Promise ? await next : next;
          if (token === undefined) break;
          const taken = exact ? this.#layout.exact(token) : this.#layout.rewritten(token);
          if (taken !== undefined) await taken;
          for (const segment of this.#layout.closed()) yield* this.#units.add(segment);
        }
      } finally {
        await reader.close();
      }
    }
  }

  async *#lastUnits(): AsyncGenerator<Unit, void, void> {
    await this.#layout.end(!this.#exact);
    for (const segment of this.#layout.closed()) yield* this.#units.add(segment);
    yield* this.#units.end();
  }

  async *#members(units: AsyncIterable<Unit>): ByteStream {
    const cores = this.#parallelism;
    const ahead = cores === 1 ? { count: 1, bytes: aheadOfEach } : { count: cores * waitingForEach, bytes: cores * aheadOfEach };
    for await (const members of ordered(units, ahead, (unit) => compressUnit(unit, this.#minChunkSize, this.#compressor))) {
      this.#signal?.throwIfAborted();
      for (const { bytes, chunks } of members) {
        for (const { chunk, innerOffset } of chunks) {
          chunk.offset = this.#size;
          if (innerOffset > 0) chunk.innerOffset = innerOffset;
          chunk.endOffset = this.#size + bytes.length;
        }
        await this.#count(bytes);
        yield bytes;
      }
    }
  }

  async #count(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length;
    this.#digester ??= createDigester('sha256');
    await this.#digester.update(bytes);
  }
}

function endsShort(): OciTarError {
  return new OciTarError('UNSUPPORTED', 'the tar ends with one block of zeros instead of two, and the TOC would follow it: readers of the layer would take the two for a broken archive', {
    hint: 'have the TOC outside of the layer, or do not ask for a lossless one',
  });
}

function checkSize(what: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new OciTarError('INVALID_ARGUMENT', `the ${what} is ${value}, which is not a whole number from ${least} to ${most}`);
}
