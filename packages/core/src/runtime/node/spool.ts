import { open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Spool } from '../spool.ts';
import { mapErrno } from './errno.ts';
import { HandleWriter, readHandle } from './handle.ts';
import { randomHex } from './builtins.ts';

/** A spool in the system's folder for temporary files (TMPDIR), nameless from the start, so that a killed process leaves nothing. */
export async function createSpool(): Promise<Spool> {
  const path = join(tmpdir(), `oci-tar-${randomHex(8)}`);
  const handle = await open(path, 'wx+', 0o600).catch((error: unknown) => {
    throw mapErrno(error, path);
  });
  // Windows can't unlink an open file; there the name stays until `dispose`.
  const unlinked = await unlink(path).then(
    () => true,
    () => false,
  );
  const writer = new HandleWriter(handle, path);
  let size = 0;
  return {
    async write(chunk) {
      size += chunk.byteLength;
      await writer.write(chunk);
    },
    async source() {
      await writer.finish();
      const whole = size;
      return { size: whole, read: (start = 0, end = whole) => readHandle(handle, path, start, end, whole) };
    },
    async dispose() {
      await writer.finish().catch(() => {});
      await handle.close();
      if (!unlinked) await unlink(path).catch(() => {});
    },
  };
}
