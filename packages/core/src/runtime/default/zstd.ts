export { wasmCompressZstd as compressZstd } from '../zstd-wasm-encoder.ts';
export { wasmZstdDecoder as zstdDecoder } from '../zstd-wasm-decoder.ts';
