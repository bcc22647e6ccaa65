import type { ByteStream } from '../../bytes/types.ts';
import type { RawInflater } from '../engines.ts';
import { zlib } from './builtins.ts';
import { compressInPieces } from './gzip-pieces.ts';
import { compressWith, ZlibRun } from './zlib-run.ts';

/** zlib hands out so many bytes at once: 265 MB/s of output were measured, with its default of 16 KiB 162 MB/s. */
const outputSize = 256 * 1024;
/** The same when inflating: what 256 KiB of input give mostly fits into a few, which saves every second round trip to zlib's thread. */
const inflatedSize = 512 * 1024;
/** What one run of zlib is given at a time; level 4 takes some 10 ms for it. With 64 KiB its thread waits for the next piece too often. */
const pieceSize = 512 * 1024;
/** A member that fits in this much output is decoded without a native stream of its own. */
const smallMember = 256 * 1024;
/** Where the header (RFC 1952, 2.3) names the operating system. */
const systemOffset = 9;

/** The operating system byte of a gzip header for "unknown", which is true on every platform. */
const unknownSystem = 255;

/**
 * Level 4 is twice as fast as zlib's own 6 (44 to 22 MB/s of a Debian layer) for 2.4 % more bytes; 3 saves little time more,
 * 9 costs twice the time of 6 for 0.4 % less.
 */
const defaultLevel = 4;

/** One gzip member, compressed over the cores. */
export function compressGzip(bytes: ByteStream, level: number = defaultLevel): ByteStream {
  return compressInPieces(bytes, level);
}

/** One gzip member as every program writes it that leaves it to zlib, by its default or at some level; the system is set to "unknown". */
export async function* compressGzipInOneRun(bytes: ByteStream, level: number): AsyncGenerator<Uint8Array, void, void> {
  const run = new ZlibRun(zlib().createGzip({ level, memLevel: 8, chunkSize: outputSize }));
  let offset = 0;
  for await (const output of compressWith(run, bytes, () => run.finish(), pieceSize)) {
    const at = systemOffset - offset;
    if (at >= 0 && at < output.length) output[at] = unknownSystem;
    offset += output.length;
    yield output;
  }
}

export function rawInflater(): RawInflater {
  return new ZlibRun(zlib().createInflateRaw({ chunkSize: inflatedSize }), true);
}

/**
 * Decodes a whole member's deflate data at the start of `bytes`, if it lies in them and is small; else undefined.
 * A native stream costs 70 µs and more to set up, this 8 µs, and seekable layers have thousands of members.
 */
export function inflateSmall(bytes: Uint8Array): { readonly output: Uint8Array; readonly consumed: number } | undefined {
  try {
    const result: unknown = zlib().inflateRawSync(bytes, { info: true, maxOutputLength: smallMember });
    if (!hasEngine(result)) return undefined;
    return { output: result.buffer, consumed: result.engine.bytesWritten };
  } catch {
    // Incomplete, large or broken: the stream finds out which.
    return undefined;
  }
}

/** CRC-32 of `bytes`, continued from the CRC of what came before them. */
export function crc32(bytes: Uint8Array, before: number): number {
  return zlib().crc32(bytes, before);
}

interface InflateInfo {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** The declared type of `info: true` is missing from @types/node. */
function hasEngine(result: unknown): result is InflateInfo {
  if (typeof result !== 'object' || result === null || !('engine' in result) || !('buffer' in result)) return false;
  const { engine, buffer } = result;
  return buffer instanceof Uint8Array && typeof engine === 'object' && engine !== null && 'bytesWritten' in engine;
}
