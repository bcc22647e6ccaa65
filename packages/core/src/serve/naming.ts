import { completed, importedName } from '../layout/names.ts';
import { isOciTarError } from '../errors.ts';
import type { Digest } from '../spec/digest.ts';
import { parseReference, repositoryOf } from '../spec/reference.ts';

/** Where an image of a place is served: the repository by its full name (`docker.io/library/hello`), and the tag or digest there. */
export interface ServedName {
  readonly key: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The name of a place's image as it is served; undefined where what it is called is no reference. */
export function servedName(name: string, baseName: string): ServedName | undefined {
  try {
    const { tag, digest, ...repository } = parseReference(importedName(name, baseName) ?? name);
    const key = repositoryOf(repository);
    // Docker's grammar for a name with both: the digest is what counts.
    if (digest !== undefined) return { key, digest };
    return { key, tag: tag ?? 'latest' };
  } catch (error) {
    if (isOciTarError(error)) return undefined;
    throw error;
  }
}

/** The full name of a repository as it is spelled in a request: `hello` is `docker.io/library/hello`. */
export function keyOf(name: string): string {
  return repositoryOf(parseReference(name));
}

/** The full name of a repository that a mirror is asked for: `?ns=docker.io` and `library/hello`. Undefined for what is none. */
export function keyIn(domain: string, name: string): string | undefined {
  try {
    const key = repositoryOf(parseReference(`${domain}/${name}`));
    return key.startsWith(`${domain}/`) || domain === 'registry-1.docker.io' || domain === 'index.docker.io' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** What comes after the registry's host. */
export function pathOfKey(key: string): string {
  return key.slice(key.indexOf('/') + 1);
}

/** The shortest name under which a repository is asked for, where no other one has its path. */
export function shortName(key: string): string {
  const path = pathOfKey(key);
  if (!key.startsWith('docker.io/library/')) return path;
  const short = path.slice('library/'.length);
  return !short.includes('/') && keyOf(short) === key ? short : path;
}

/** The name under which a manifest that was pushed by digest alone is kept. */
export function digestName(key: string, digest: Digest): string {
  return completed(`${key}@${digest}`);
}
