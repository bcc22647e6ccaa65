import { join, resolve } from 'node:path';
import { UsageError } from './failure.ts';
import { userFolders } from './user-folders.ts';
import type { Environment } from './user-folders.ts';

/**
 * The directory of the local store, or `containerd:[NAMESPACE/]` or `dedup:DIR` in its place: `--store`, else OCI_TAR_STORE, else a folder of this user's own data.
 */
export function storePath(given: string | undefined, env: Environment, platform: NodeJS.Platform = process.platform): string {
  if (given === '') throw new UsageError('--store is empty', 'Give it a directory, or leave it out.');
  const chosen = given ?? (env['OCI_TAR_STORE'] || undefined);
  if (chosen?.startsWith('containerd:')) return chosen;
  if (chosen?.startsWith('dedup:')) return `dedup:${resolve(chosen.slice('dedup:'.length))}`;
  return chosen === undefined ? join(userFolders(env, platform).data, 'store') : resolve(chosen);
}
