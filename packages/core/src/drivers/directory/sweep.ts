import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../runtime/node/errno.ts';
import { isAbandoned } from './lock-file.ts';

/**
 * An owner on another host that has not touched its folder for an hour is taken for dead. Far longer than for a lock:
 * nobody waits for it, and a sweep by mistake costs the other its whole import.
 */
export const grace = 60 * 60 * 1000;

/** Folders with all that was in them. */
export interface Swept {
  readonly folders: readonly string[];
  readonly files: number;
  readonly bytes: number;
}

/**
 * Removes the staging folders whose writers are gone for good, or only finds them.
 *
 * @param now in milliseconds by the file system's own clock
 */
export async function sweepFolders(staging: string, now: number, dryRun = false): Promise<Swept> {
  const folders: string[] = [];
  let [files, bytes] = [0, 0];
  for (const name of await namesIn(staging)) {
    const folder = join(staging, name);
    if (!(await isLeftOver(folder, now))) continue;
    const sizes = await sizesIn(folder);
    if (!dryRun && !(await rm(folder, { recursive: true, force: true }).then(() => true, () => false))) continue;
    folders.push(folder);
    files += sizes.length;
    bytes += sizes.reduce((sum, size) => sum + size, 0);
  }
  return { folders, files, bytes };
}

/** Nothing where the folder is gone or is none: others make and remove them all the time. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

async function isLeftOver(folder: string, now: number): Promise<boolean> {
  const stats = await lstat(folder).catch(() => undefined);
  if (!stats?.isDirectory()) return false;
  const owner = join(folder, 'owner');
  // Its maker was killed, or is just about to write the owner.
  if ((await lstat(owner).catch(() => undefined)) === undefined) return now - stats.mtimeMs > grace;
  return isAbandoned(owner, now, grace);
}

async function sizesIn(folder: string): Promise<readonly number[]> {
  const names = await namesIn(folder).catch(() => []);
  const stats = await Promise.all(names.map((name) => lstat(join(folder, name)).catch(() => undefined)));
  return stats.flatMap((one) => (one === undefined ? [] : [one.size]));
}
