import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import type { RawInflater } from '../engines.ts';
import { Inflater } from './inflate.ts';

export { crc32 } from './crc32.ts';

/** Where the header (RFC 1952, 2.3) names the operating system, and its value for "unknown". */
const systemOffset = 9;
const unknownSystem = 255;

/** One gzip member by the platform's own CompressionStream, which has one level. UNSUPPORTED for any other than the default. */
export async function* compressGzip(bytes: ByteStream, level: number | undefined): AsyncGenerator<Uint8Array, void, void> {
  if (level !== undefined) {
    throw new OciTarError('UNSUPPORTED', `gzip level ${level} cannot be chosen on this platform`, {
      hint: 'leave the level out, or run on Node',
    });
  }
  const { readable, writable } = new CompressionStream('gzip');
  const reader = readable.getReader();
  const writer = writable.getWriter();
  let failure: { readonly error: unknown } | undefined;
  let stopped = false;
  const pump = async (): Promise<void> => {
    try {
      for await (const chunk of bytes) {
        if (stopped) return;
        await writer.write(chunk);
      }
      await writer.close();
    } catch (error) {
      if (stopped) return;
      failure = { error };
      await reader.cancel();
    }
  };
  const pumped = pump();
  let offset = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const output: Uint8Array = value;
      const at = systemOffset - offset;
      if (at >= 0 && at < output.length) output[at] = unknownSystem;
      offset += output.length;
      yield output;
    }
    await pumped;
    if (failure !== undefined) throw failure.error;
  } finally {
    stopped = true;
    await reader.cancel();
    await writer.abort().catch(() => {});
    await pumped;
  }
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
