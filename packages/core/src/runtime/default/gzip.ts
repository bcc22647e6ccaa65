import type { ByteStream } from '../../bytes/types.ts';
import { Deflater } from '../deflater.js';
import type { RawInflater } from '../engines.ts';
import { gzipHeader, gzipTrailer } from '../gzip-frame.ts';
import { Turns } from '../turns.ts';
import { crc32 } from './crc32.ts';
import { Inflater } from './inflate.ts';

export { crc32 };

/** As on Node. */
const defaultLevel = 4;

/** One gzip member of a level from 1 to 9, made in turns of at most a mebibyte; not the bytes that zlib makes on Node. */
export async function* compressGzip(bytes: ByteStream, level: number = defaultLevel): AsyncGenerator<Uint8Array, void, void> {
  const deflater = new Deflater();
  const turns = new Turns();
  let crc = 0;
  let size = 0;
  deflater.start(level);
  yield gzipHeader(level);
  for await (const run of bytes) {
    size += run.length;
    for (let at = 0; at < run.length; ) {
      const taken = deflater.write(run.subarray(at));
      crc = crc32(run.subarray(at, at + taken), crc);
      at += taken;
      if (at === run.length) break;
      yield deflater.compress(false).slice();
      await turns.rest();
    }
  }
  yield deflater.compress(true).slice();
  yield gzipTrailer(crc, size);
}

/** There is nothing else here. */
export { compressGzip as compressGzipInOneRun };

export function rawInflater(): RawInflater {
  return new Inflater();
}

/** Decoding here has no native stream to save. */
export function inflateSmall(_bytes: Uint8Array): { readonly output: Uint8Array; readonly consumed: number } | undefined {
  return undefined;
}
