import { join } from '../../bytes/source.ts';
import { OciTarError } from '../../errors.ts';
import type { DeflateOptions, Deflated } from '../engines.ts';
import { crc32 } from './crc32.ts';

/** The platform's streams share the thread or have their own; more than a few at once gain nothing. */
export const deflateParallelism = 2;

/** The same by the platform's own CompressionStream, which has one level. UNSUPPORTED for any other than the default. */
export async function deflateRaw(parts: readonly Uint8Array[], { level, room = { before: 0, after: 0 } }: DeflateOptions = {}): Promise<Deflated> {
  if (level !== undefined) {
    throw new OciTarError('UNSUPPORTED', `gzip level ${level} cannot be chosen on this platform`, {
      hint: 'leave the level out, or run on Node',
    });
  }
  const { readable, writable } = new CompressionStream('deflate-raw');
  const writer = writable.getWriter();
  const write = async (): Promise<void> => {
    for (const part of parts) await writer.write(new Uint8Array(part));
    await writer.close();
  };
  const reader = readable.getReader();
  const chunks: Uint8Array[] = [];
  const read = async (): Promise<void> => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
  };
  await Promise.all([write(), read()]);
  return { data: join([new Uint8Array(room.before), ...chunks, new Uint8Array(room.after)]), crc: parts.reduce((crc, part) => crc32(part, crc), 0) };
}
