import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import { Turns } from './turns.ts';
import { XxHash64 } from './xxhash64.ts';
import { loadZstd, WasmMemory } from './zstd-wasm.ts';
import type { ZstdModule, ZstdState } from './zstd-wasm.ts';

/**
 * Each call compresses and flushes one whole block of the format's largest size.
 * So the blocks, and with them the output, do not depend on how the input was cut.
 */
const blockSize = 128 * 1024;
/** Room for a block that does not compress, for the frame header and the end. */
const capacity = 2 * blockSize;
/** Bit 2 of a frame header's descriptor: a checksum follows the last block (RFC 8878, 3.1.1.1.1.5). */
const checksumFlag = 0b100;

/** One frame with a checksum, without content size. */
export async function* wasmCompressZstd(bytes: ByteStream, level: number): AsyncGenerator<Uint8Array, void, void> {
  const encoder = new Encoder(await loadZstd(), level);
  const turns = new Turns();
  try {
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; ) {
        at += encoder.take(chunk.subarray(at));
        if (!encoder.full) continue;
        await turns.rest();
        yield encoder.block();
      }
    }
    yield* encoder.end();
  } finally {
    encoder.dispose();
  }
}

class Encoder {
  readonly #module: ZstdModule;
  readonly #memory: WasmMemory;
  readonly #state: ZstdState;
  readonly #input: number;
  readonly #output: number;
  readonly #checksum = new XxHash64();
  #filled = 0;
  #started = false;

  constructor(module: ZstdModule, level: number) {
    this.#module = module;
    this.#memory = new WasmMemory(module);
    try {
      this.#input = this.#memory.allocate(blockSize);
      this.#output = this.#memory.allocate(capacity);
      this.#state = new module.zstd();
    } catch (error) {
      this.#memory.free();
      throw error;
    }
    this.#state.setCompressionLevel(level);
  }

  get full(): boolean {
    return this.#filled === blockSize;
  }

  /** Takes as much as the block still has room for; returns how much. */
  take(chunk: Uint8Array): number {
    const part = chunk.subarray(0, blockSize - this.#filled);
    this.#module.HEAPU8.set(part, this.#input + this.#filled);
    this.#filled += part.length;
    return part.length;
  }

  block(): Uint8Array {
    this.#checksum.update(this.#module.HEAPU8.subarray(this.#input, this.#input + this.#filled));
    const length = this.#state.compressChunk(this.#output, capacity, this.#input, this.#filled);
    this.#filled = 0;
    return this.#written(length);
  }

  *end(): Generator<Uint8Array, void, void> {
    if (this.#filled > 0) yield this.block();
    yield this.#written(this.#state.compressEnd(this.#output, capacity));
    const checksum = new Uint8Array(4);
    new DataView(checksum.buffer).setUint32(0, Number(this.#checksum.digest() & 0xffffffffn), true);
    yield checksum;
  }

  dispose(): void {
    this.#state.delete();
    this.#memory.free();
  }

  #written(length: number): Uint8Array {
    if (this.#module.zstd.isError(length) !== 0) {
      const reason = this.#module.zstd.getErrorName(length);
      throw new OciTarError('LIMIT_EXCEEDED', `zstd cannot compress on: ${reason}`, {
        limit: this.#module.HEAPU8.length,
        hint: 'use a lower level or work on fewer streams at once',
      });
    }
    const bytes = this.#module.HEAPU8.slice(this.#output, this.#output + length);
    // The module cannot be told to write a checksum, so the flag is set and the checksum added here.
    if (!this.#started && bytes[4] !== undefined) bytes[4] |= checksumFlag;
    this.#started = true;
    return bytes;
  }
}
