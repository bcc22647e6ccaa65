import { OciTarError } from '../errors.ts';

/** One stream's state inside the wasm module. */
export interface ZstdState {
  setCompressionLevel(level: number): void;
  /** Compresses and flushes all of the source; returns the bytes written or an error code. */
  compressChunk(target: number, capacity: number, source: number, length: number): number;
  compressEnd(target: number, capacity: number): number;
  /** Returns the bytes written. Reports no error, and stays where it was when there is one. */
  decompressChunk(target: number, capacity: number, source: number, length: number): number;
  delete(): void;
}

/**
 * The parts of `@hpcc-js/wasm-zstd`'s module that are used here. Its public class has one state for everybody,
 * so that two streams at once would mix, and copies bytes one number at a time; the module below it does neither.
 */
export interface ZstdModule {
  /** The wasm memory. Another array after the memory has grown: read it anew after each call. */
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _free(pointer: number): void;
  readonly zstd: {
    new (): ZstdState;
    version(): string;
    isError(code: number): number;
    getErrorName(code: number): string;
  };
}

/** The version of zstd inside the module. Another one may write other bytes. */
export const zstdVersion = '1.5.7';

let loading: Promise<ZstdModule> | undefined;

/** The wasm module, loaded on first use: 240 kB of text and some 40 ms that most commands need not spend. */
export function loadZstd(): Promise<ZstdModule> {
  loading ??= load();
  return loading;
}

async function load(): Promise<ZstdModule> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const wrapper: unknown = (await Zstd.load())['_mainModule'];
  const module = isObject(wrapper) ? wrapper['_module'] : undefined;
  // The package is pinned to one version, so this fails only where somebody forced another.
  if (isZstdModule(module) && module.zstd.version() === zstdVersion) return module;
  throw new OciTarError('UNSUPPORTED', 'the installed @hpcc-js/wasm-zstd is not the version that this library is built on', {
    hint: 'install exactly the version that this library asks for',
  });
}

/** Memory inside the module, freed together. */
export class WasmMemory {
  readonly #module: ZstdModule;
  readonly #pointers: number[] = [];

  constructor(module: ZstdModule) {
    this.#module = module;
  }

  /** The address of `size` fresh bytes. LIMIT_EXCEEDED when the module's 2 GiB are used up. */
  allocate(size: number): number {
    const pointer = this.#module._malloc(size);
    if (pointer === 0) {
      throw new OciTarError('LIMIT_EXCEEDED', `zstd has no memory left for ${size} bytes more`, {
        limit: this.#module.HEAPU8.length,
        hint: 'work on fewer streams at once',
      });
    }
    this.#pointers.push(pointer);
    return pointer;
  }

  free(): void {
    for (const pointer of this.#pointers.splice(0)) this.#module._free(pointer);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isZstdModule(value: unknown): value is ZstdModule {
  if (!isObject(value) || typeof value['zstd'] !== 'function') return false;
  return (
    value['HEAPU8'] instanceof Uint8Array &&
    typeof value['_malloc'] === 'function' &&
    typeof value['_free'] === 'function' &&
    'compressChunk' in value['zstd'].prototype &&
    'decompressChunk' in value['zstd'].prototype &&
    'version' in value['zstd']
  );
}
