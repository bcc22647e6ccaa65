import { bytesSource } from '@oci-tar/core';
import type { ByteSink, ByteSource, ByteStream } from '@oci-tar/core';

/** A sink in memory that tells how it ended. */
export class MemorySink implements ByteSink {
  readonly #chunks: Uint8Array[] = [];
  ended: 'no' | 'committed' | 'aborted' = 'no';

  async write(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(Uint8Array.from(chunk));
  }

  async commit(): Promise<void> {
    this.ended = 'committed';
  }

  async abort(): Promise<void> {
    this.ended = 'aborted';
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }

  source(): ByteSource {
    return bytesSource(this.bytes);
  }
}

/** The same bytes, cut into pieces of these sizes, over and over. */
export async function* cut(bytes: Uint8Array, sizes: readonly number[] = [65_536]): ByteStream {
  let offset = 0;
  for (let turn = 0; offset < bytes.byteLength; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}
