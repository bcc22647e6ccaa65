import { lstat } from 'node:fs/promises';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';

/** What is wrong when a file of a writer's own staging folder is not there: CONFLICT, as another process has swept it. */
export function stagingFailure(error: unknown, path: string): unknown {
  if (errnoOf(error) !== 'ENOENT') return mapErrno(error, path);
  return new OciTarError('CONFLICT', 'another process took this one for dead and may have removed blobs that it relies on', {
    side: 'target',
    subject: path,
    hint: 'Start again: what is there is not written anew.',
    cause: error,
  });
}

/** Throws CONFLICT when the file was swept. */
export async function assertStaged(path: string): Promise<void> {
  await lstat(path).catch((error: unknown) => {
    throw stagingFailure(error, path);
  });
}
