import { bytesSource, join } from '../../bytes/source.ts';
import { OciTarError } from '../../errors.ts';
import type { Spool } from '../spool.ts';

/** What a spool in memory may hold, in bytes. */
const limit = 256 * 1024 * 1024;

export async function createSpool(): Promise<Spool> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    async write(chunk) {
      size += chunk.byteLength;
      if (size > limit) throw new OciTarError('LIMIT_EXCEEDED', `more than ${limit} bytes would have to wait in memory`, { limit });
      chunks.push(chunk);
    },
    source: async () => bytesSource(join(chunks, size)),
    dispose: async () => void chunks.splice(0),
  };
}
