import type { ByteSink, ByteStream } from '../bytes/types.ts';
import { decompressed } from '../compression/codecs.ts';
import { OciTarError } from '../errors.ts';
import { BlobBuilder } from './blob-builder.ts';
import type { SeekableOptions, SeekableReport } from './blob-builder.ts';

/**
 * Writes a seekable layer tar by tar, as they come: nothing is sorted, and no landmark is set. A name that comes twice is refused
 * at the end (INVALID_TOC); `buildSeekable` keeps the later one.
 */
export class SeekableWriter {
  readonly #target: Pick<ByteSink, 'write'>;
  readonly #builder: BlobBuilder;
  readonly #signal: AbortSignal | undefined;
  #state: 'open' | 'busy' | 'over' = 'open';

  /** The caller commits or aborts `target`. INVALID_ARGUMENT for options out of range. */
  constructor(target: Pick<ByteSink, 'write'>, options: SeekableOptions = {}) {
    this.#target = target;
    this.#builder = new BlobBuilder(options);
    this.#signal = options.signal;
  }

  /**
   * Appends the entries of a tar, plain or compressed with gzip or zstd, with headers written anew. A TOC in its root is left out.
   * INVALID_TAR, INVALID_COMPRESSION; UNSUPPORTED for entries that a TOC cannot have.
   */
  appendTar(tar: ByteStream): Promise<void> {
    return this.#append(tar, false);
  }

  /**
   * Appends every byte of a tar as it is. Where the tar has an end-of-archive marker nothing can follow it. Errors as in `appendTar`, and
   * INVALID_ARGUMENT where it has a TOC in its root.
   */
  appendTarLossless(tar: ByteStream): Promise<void> {
    return this.#append(tar, true);
  }

  /** Writes the end-of-archive marker, unless the last tar was appended losslessly, the TOC and the footer. INVALID_TOC where the tars do not make one tree. */
  async close(): Promise<SeekableReport> {
    await this.#work(() => this.#write(this.#builder.end()));
    this.#state = 'over';
    this.#builder.dispose();
    return this.#builder.report();
  }

  /** Gives the layer up. What has been written stays in the target, which the caller aborts. */
  abort(): void {
    this.#state = 'over';
    this.#builder.dispose();
  }

  async #append(tar: ByteStream, exact: boolean): Promise<void> {
    await this.#work(async () => {
      const { bytes, close } = await decompressed(tar);
      try {
        await this.#write(this.#builder.append([bytes], exact));
      } finally {
        await close();
      }
    });
  }

  async #work(work: () => Promise<void>): Promise<void> {
    if (this.#state !== 'open') {
      const why = this.#state === 'busy' ? 'the last call to it has not ended' : 'it was closed, or failed';
      throw new OciTarError('INVALID_ARGUMENT', `the seekable layer cannot be written to: ${why}`);
    }
    this.#state = 'busy';
    try {
      await work();
      this.#state = 'open';
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  async #write(blob: ByteStream): Promise<void> {
    for await (const bytes of blob) {
      this.#signal?.throwIfAborted();
      await this.#target.write(bytes);
    }
  }
}
