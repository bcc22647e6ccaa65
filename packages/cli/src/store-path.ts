import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { UsageError } from './failure.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The directory of the local store, or `containerd:[NAMESPACE/]` or `dedup:DIR` in its place: `--store`, else OCI_TAR_STORE, else a folder of this user's own data, where the
 * system keeps such (XDG base directories on Linux).
 */
export function storePath(given: string | undefined, env: Environment, platform: NodeJS.Platform = process.platform): string {
  if (given === '') throw new UsageError('--store is empty', 'Give it a directory, or leave it out.');
  const chosen = given ?? nonEmpty(env['OCI_TAR_STORE']);
  if (chosen?.startsWith('containerd:')) return chosen;
  if (chosen?.startsWith('dedup:')) return `dedup:${resolve(chosen.slice('dedup:'.length))}`;
  return chosen === undefined ? join(dataFolder(env, platform), 'oci-tar', 'store') : resolve(chosen);
}

function dataFolder(env: Environment, platform: NodeJS.Platform): string {
  const home = nonEmpty(env['HOME']) ?? homedir();
  if (platform === 'win32') return nonEmpty(env['LOCALAPPDATA']) ?? join(home, 'AppData', 'Local');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support');
  const xdg = nonEmpty(env['XDG_DATA_HOME']);
  // The XDG specification has relative paths ignored.
  return xdg?.startsWith('/') ? xdg : join(home, '.local', 'share');
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
