import { zstdVersion } from '../zstd-wasm.ts';
import { wasmZstdFrame } from '../zstd-wasm-frame.ts';
import { zlib } from './builtins.ts';

/** Number of zstd's own interface (zstd.h). */
const compressionLevel = 100;

/** Node 22.15 and later. */
interface ZstdInZlib {
  zstdCompressSync(bytes: Uint8Array, options: { readonly chunkSize: number; readonly params: Readonly<Record<number, number>> }): Uint8Array;
}

/** Frames are compressed in the thread that calls: small ones take less time than to hand them to another. */
export const zstdParallelism = 1;

/**
 * These bytes joined as one frame that names their size and has no checksum. The bytes are those of one version of zstd, whether Node's
 * own or the wasm module makes them. Not by Node's asynchronous call, which does not tell zstd the size beforehand: the frames come out larger.
 */
export async function zstdFrame(parts: readonly Uint8Array[], level: number): Promise<Uint8Array> {
  const native = zlib();
  if (!hasZstd(native) || process.versions['zstd'] !== zstdVersion) return wasmZstdFrame(parts, level);
  const input = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  // Room for all of it at once: zstd divides the input otherwise, and the bytes are others.
  return native.zstdCompressSync(input, { chunkSize: Math.max(64, worst(input.length)), params: { [compressionLevel]: level } });
}

/** ZSTD_compressBound of zstd.h. */
function worst(size: number): number {
  const small = 128 * 1024;
  return size + (size >>> 8) + (size < small ? (small - size) >>> 11 : 0);
}

function hasZstd(module: object): module is ZstdInZlib {
  return 'zstdCompressSync' in module && typeof module.zstdCompressSync === 'function';
}
