import { homedir } from 'node:os';
import { join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** This user's folders for an application: what is to be kept, and what can be made again. */
export interface UserFolders {
  readonly data: string;
  readonly cache: string;
}

/** Where the system keeps such folders (XDG base directories on Linux). */
export function userFolders(env: Environment, platform: NodeJS.Platform): UserFolders {
  const home = env['HOME'] || homedir();
  if (platform === 'win32') {
    const local = env['LOCALAPPDATA'] || join(home, 'AppData', 'Local');
    return { data: join(local, 'oci-tar'), cache: join(local, 'oci-tar', 'cache') };
  }
  const library = join(home, 'Library');
  if (platform === 'darwin') return { data: join(library, 'Application Support', 'oci-tar'), cache: join(library, 'Caches', 'oci-tar') };
  return {
    data: join(absolute(env['XDG_DATA_HOME']) ?? join(home, '.local', 'share'), 'oci-tar'),
    cache: join(absolute(env['XDG_CACHE_HOME']) ?? join(home, '.cache'), 'oci-tar'),
  };
}

/** The XDG specification has relative paths ignored. */
function absolute(path: string | undefined): string | undefined {
  return path?.startsWith('/') ? path : undefined;
}
