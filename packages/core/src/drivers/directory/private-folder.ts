import { lstat, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { goneAttempts, makeFolders } from './make-folders.ts';

/** The folder inside a layout that is ours: the lock, and files that are being written. Image readers ignore it. */
export const privateName = '.oci-tar';

/** Guards index.json; whoever follows the same protocol may take it. */
export const lockName = 'index.lock';

/**
 * Makes a folder of our own and those above it. UNSAFE_PATH when it is a symbolic link: what is swept
 * and removed in it would be elsewhere, and a layout may come from anyone.
 */
export async function privateFolder(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await makeFolders(path);
      if ((await lstat(path)).isDirectory()) return;
      break;
    } catch (error) {
      // Whoever closes last removes the empty folder; it may do so between the two calls.
      if (errnoOf(error) !== 'ENOENT' || attempt === goneAttempts) throw mapErrno(error, path);
    }
  }
  throw new OciTarError('UNSAFE_PATH', `${path} is a symbolic link or no directory`, { subject: path, hint: 'Remove it.' });
}

/** Leaves no trace in a layout that nobody else is writing. */
export async function removeEmptyFolders(root: string): Promise<void> {
  const own = join(root, privateName);
  await rmdir(join(own, 'staging')).catch(() => {});
  await rmdir(own).catch(() => {});
}

