import { OciTarError } from '../errors.ts';
import { loadZstd, WasmMemory } from './zstd-wasm.ts';
import type { ZstdModule } from './zstd-wasm.ts';

/** The module's calls for whole buffers, which hold nothing from one call to the next. */
interface OneShot {
  /** Room that so many bytes need at the worst. */
  compressBound(size: number): number;
  /** Returns the bytes written or an error code. */
  compress(target: number, capacity: number, source: number, length: number, level: number): number;
}

/** The bytes joined as one frame that names their size and has no checksum. */
export async function wasmZstdFrame(parts: readonly Uint8Array[], level: number): Promise<Uint8Array> {
  const module = await loadZstd();
  const { zstd } = module;
  if (!isOneShot(zstd)) throw new OciTarError('UNSUPPORTED', 'the installed @hpcc-js/wasm-zstd cannot compress whole buffers');
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const memory = new WasmMemory(module);
  try {
    const capacity = zstd.compressBound(size);
    const target = memory.allocate(capacity);
    const source = memory.allocate(Math.max(1, size));
    let at = source;
    for (const part of parts) {
      module.HEAPU8.set(part, at);
      at += part.length;
    }
    const length = zstd.compress(target, capacity, source, size, level);
    if (zstd.isError(length) !== 0) throw noMemory(module, zstd.getErrorName(length));
    return module.HEAPU8.slice(target, target + length);
  } finally {
    memory.free();
  }
}

function isOneShot(zstd: object): zstd is OneShot {
  return 'compress' in zstd && typeof zstd.compress === 'function' && 'compressBound' in zstd && typeof zstd.compressBound === 'function';
}

function noMemory(module: ZstdModule, reason: string): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `zstd cannot compress on: ${reason}`, { limit: module.HEAPU8.length, hint: 'use a lower level or smaller chunks' });
}
