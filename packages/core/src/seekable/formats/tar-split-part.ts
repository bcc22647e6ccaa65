import { zstdFrame } from '#runtime/zstd-frame';
import { digestBytes } from '../../bytes/digest.ts';
import { join } from '../../bytes/source.ts';
import type { Digest } from '../../spec/digest.ts';
import { discardPayloads } from '../../tar/split/payloads.ts';
import { UpstreamWriter } from '../../tar/split/upstream-write.ts';
import type { TarToken } from '../../tar/tokens.ts';

/** Lines are compressed when there are so many bytes of them: large enough to compress well, and memory stays flat. */
const frameSize = 4 * 1024 * 1024;

/** As in `disassembleUpstream`. */
const entryLimit = 10_000_000;

/** The tar-split part of a layer in the making: tar-split's JSON lines, compressed with zstd. */
export class TarSplitPart {
  readonly #writer = new UpstreamWriter(discardPayloads, entryLimit);
  readonly #level: number;
  readonly #frames: Uint8Array[] = [];
  #rawSize = 0;

  constructor(level: number) {
    this.#level = level;
  }

  /** UNSUPPORTED for what tar-split cannot say: a name twice, sparse files. */
  async take(token: TarToken): Promise<void> {
    await this.#writer.take(token);
    if (this.#writer.output.length >= frameSize) await this.#compress();
  }

  async finish(): Promise<{ readonly bytes: Uint8Array; readonly rawSize: number; readonly digest: Digest }> {
    await this.#writer.end();
    await this.#compress();
    const bytes = join(this.#frames);
    return { bytes, rawSize: this.#rawSize, digest: await digestBytes(bytes) };
  }

  async #compress(): Promise<void> {
    const lines = this.#writer.output.take();
    this.#rawSize += lines.length;
    if (lines.length > 0) this.#frames.push(await zstdFrame([lines], this.#level));
  }
}
