import { open, unlink } from 'node:fs/promises';
import type { Verifier } from '../../bytes/digest.ts';
import { bufferedSink, runSize } from '../../bytes/stream.ts';
import type { ByteSink } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import { mapErrno } from '../../runtime/node/errno.ts';
import { HandleWriter } from '../../runtime/node/handle.ts';
import { stagingFailure } from './swept.ts';

/** A file in staging: complete and on the disk at `commit`, gone at `abort`. */
export interface StagedFile extends ByteSink {
  readonly path: string;
}

/**
 * Opens a new file for writing. Small chunks are gathered, and a write is under way while the next bytes are made.
 *
 * @param digesting is shown each byte once, in order, and given up with the file
 */
export async function stageFile(path: string, mode: number, digesting?: Verifier): Promise<StagedFile> {
  const handle = await open(path, 'wx', mode).catch((error: unknown) => {
    throw stagingFailure(error, path);
  });
  const writer = new HandleWriter(handle, path, { lasting: true });
  let alive = true;
  let ended: unknown;

  const abort = async (reason?: unknown) => {
    if (!alive) return;
    alive = false;
    ended = reason;
    digesting?.dispose();
    await writer.finish().catch(() => {});
    await handle.close().catch(() => {});
    await unlink(path).catch(() => {});
  };
  // What comes from a socket in runs of 64 KiB is not copied to join it: that would double the memory that is handed around.
  const runs = bufferedSink(
    {
      async write(run) {
        await digesting?.update(run);
        await writer.write(run);
      },
      async commit() {
        await writer.finish();
        await handle.sync();
      },
      abort,
    },
    runSize,
  );
  const checked = async <T>(work: () => Promise<T>): Promise<T> => {
    if (!alive) throw ended ?? new OciTarError('CONFLICT', `${path} has been committed or given up`);
    try {
      return await work();
    } catch (error) {
      // Given up meanwhile, and it failed for that.
      if (!alive && ended !== undefined) throw ended;
      const reason = mapErrno(error, path);
      await abort(reason);
      throw reason;
    }
  };
  return {
    path,
    write: (chunk) => checked(() => runs.write(chunk)),
    commit: () =>
      checked(async () => {
        await runs.commit();
        await handle.close();
        alive = false;
      }),
    abort,
  };
}
