import type { Transform } from 'node:stream';
import type { ByteStream } from '../../bytes/types.ts';
import { zstdVersion } from '../zstd-wasm.ts';
import { wasmCompressZstd } from '../zstd-wasm-encoder.ts';
import { zlib } from './builtins.ts';
import { compressWith, ZlibRun } from './zlib-run.ts';

// One decoder everywhere: Node 20 has none, those of Node 22 and 24 stop after the first frame without a word.
export { wasmZstdDecoder as zstdDecoder } from '../zstd-wasm-decoder.ts';

/** Numbers of zstd's own interface (zstd.h). */
const compressionLevel = 100;
const checksumFlag = 201;
const flushBlock = 1;

const outputSize = 256 * 1024;

/** Node 22.15 and later. */
interface ZstdInZlib {
  createZstdCompress(options: {
    readonly chunkSize: number;
    readonly params: Readonly<Record<number, number>>;
  }): Transform & { readonly bytesWritten: number };
}

/**
 * One frame with a checksum, without content size. Node's own zstd works in a thread of its own, twice as fast
 * at high levels; it is used where it is the very version of the wasm module, so that the bytes are the same.
 */
export async function* compressZstd(bytes: ByteStream, level: number): AsyncGenerator<Uint8Array, void, void> {
  const native = zlib();
  if (hasZstd(native) && process.versions['zstd'] === zstdVersion) yield* nativeCompressZstd(native, bytes, level);
  else yield* wasmCompressZstd(bytes, level);
}

async function* nativeCompressZstd(
  native: ZstdInZlib,
  bytes: ByteStream,
  level: number,
): AsyncGenerator<Uint8Array, void, void> {
  const run = new ZlibRun(
    native.createZstdCompress({ chunkSize: outputSize, params: { [compressionLevel]: level, [checksumFlag]: 1 } }),
  );
  yield* compressWith(run, bytes, async function* () {
    // The wasm module flushes its last block before it ends the frame; an empty frame it only ends.
    if (run.consumed > 0) yield* run.flush(flushBlock);
    yield* run.finish();
  });
}

function hasZstd(module: object): module is ZstdInZlib {
  return 'createZstdCompress' in module && typeof module.createZstdCompress === 'function';
}
