export { wasmZstdFrame as zstdFrame } from '../zstd-wasm-frame.ts';

/** The module works in the thread that calls it. */
export const zstdParallelism = 1;
