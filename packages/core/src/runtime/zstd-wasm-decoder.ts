import type { ZstdDecoder } from './engines.ts';
import { loadZstd, WasmMemory } from './zstd-wasm.ts';
import type { ZstdModule, ZstdState } from './zstd-wasm.ts';

/** What one block decodes to at the most, by the format (RFC 8878, 3.1.1.2.4). */
const blockLimit = 128 * 1024;
/** A frame header has at most 18 bytes, a block header 3. */
const partLimit = blockLimit + 18;

/** A frame of one raw block with these four bytes, for asking a decoder whether it stands at the start of a frame. */
const probe = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0, 0x6f, 0x63, 0x69, 0x21);
const probed = probe.subarray(9);

/** Decoding in wasm: the same on Node and elsewhere. */
export async function wasmZstdDecoder(): Promise<ZstdDecoder> {
  return new WasmDecoder(await loadZstd());
}

class WasmDecoder implements ZstdDecoder {
  readonly #module: ZstdModule;
  readonly #memory: WasmMemory;
  readonly #state: ZstdState;
  readonly #input: number;
  readonly #output: number;
  #disposed = false;

  constructor(module: ZstdModule) {
    this.#module = module;
    this.#memory = new WasmMemory(module);
    try {
      this.#input = this.#memory.allocate(partLimit);
      this.#output = this.#memory.allocate(blockLimit);
      this.#state = new module.zstd();
    } catch (error) {
      this.#memory.free();
      throw error;
    }
  }

  reserve(windowSize: number): void {
    // The module reports a failed allocation as no output, which would look like broken input.
    const trial = new WasmMemory(this.#module);
    trial.allocate(windowSize + 4 * blockLimit);
    trial.free();
  }

  feed(part: Uint8Array): Uint8Array {
    if (part.length > partLimit) throw new RangeError(`a part of ${part.length} bytes is more than the format has`);
    this.#module.HEAPU8.set(part, this.#input);
    const length = this.#state.decompressChunk(this.#output, blockLimit, this.#input, part.length);
    return this.#module.HEAPU8.slice(this.#output, this.#output + length);
  }

  complete(): boolean {
    // A decoder that refused a part still waits for it, and does not read the probe as a frame.
    const answer = this.feed(probe);
    return answer.length === probed.length && answer.every((byte, index) => byte === probed[index]);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#state.delete();
    this.#memory.free();
  }
}
