import { OciTarError } from '../errors.ts';
import { formatReference, parseReference, repositoryOf, withDefaultTag } from '../spec/reference.ts';
import { containerdLocation } from './containerd/location.ts';

/** Where images are: a scheme, a path where the scheme has one, and which image there. */
export interface Location {
  readonly scheme: 'store' | 'oci' | 'oci-archive' | 'docker-archive' | 'dedup' | 'dir' | 'docker' | 'containerd' | 'docker-daemon';
  readonly path?: string;
  readonly reference?: string;
}

const schemes: readonly string[] = ['store', 'oci', 'oci-archive', 'docker-archive', 'dedup', 'dir', 'docker', 'containerd', 'docker-daemon'] satisfies readonly Location['scheme'][];

/**
 * Reads `docker://NAME`, `containerd:[NAMESPACE/][NAME]` (see `containerdLocation`), `docker-daemon:[NAME]`, `oci:DIR[:REF]`, `oci-archive:FILE[:REF]`, `docker-archive:FILE[:REF]`, `dedup:DIR[:REF]`, `dir:DIR`, `store:[NAME]` and plain `NAME`, as skopeo spells them: the
 * path ends at the first colon (a Windows drive letter aside), but for `dir:`, which has no names and takes all as its path.
 * INVALID_ARGUMENT for a scheme that is not known or a path that is empty.
 */
export function parseLocation(text: string): Location {
  const colon = text.indexOf(':');
  const scheme = text.slice(0, Math.max(colon, 0));
  if (scheme === 'docker' && text.startsWith('//', colon + 1)) return registryLocation(text.slice(colon + 3));
  // `docker:1` is an image of that name.
  if (!isScheme(scheme) || scheme === 'docker') {
    const other = /^(containers-storage|ocidir|tarball|sif|ostree)(:)/.exec(text)?.[1];
    if (other === undefined) return { scheme: 'store', reference: text };
    throw new OciTarError('INVALID_ARGUMENT', `${other}: is not a place that images can be copied from or to here`, { subject: text, hint: `Known are ${schemes.map((name) => `${name}:`).join(', ')}.` });
  }
  const rest = text.slice(colon + 1);
  if (scheme === 'containerd') return { scheme, ...containerdLocation(rest) };
  if (scheme === 'store' || scheme === 'docker-daemon') return rest === '' ? { scheme } : { scheme, reference: rest };
  const drive = /^[a-z]:[\\/]/i.test(rest) ? 2 : 0;
  const end = scheme === 'dir' ? -1 : rest.indexOf(':', drive);
  const path = end < 0 ? rest : rest.slice(0, end);
  const reference = end < 0 ? '' : rest.slice(end + 1);
  if (path === '') throw new OciTarError('INVALID_ARGUMENT', `${text} names no path`, { subject: text, hint: scheme === 'dir' ? 'Write dir:PATH.' : `Write ${scheme}:PATH or ${scheme}:PATH:NAME.` });
  return reference === '' ? { scheme, path } : { scheme, path, reference };
}

/** `path` is the repository, `reference` the whole name. */
function registryLocation(text: string): Location {
  // As a name it would be one on Docker Hub, with the port for its tag.
  if (/^(?:localhost|\d+(?:\.\d+){3}|\[[0-9a-f:]+\])(?::\d+)?\/?$/i.test(text)) throw new OciTarError('INVALID_ARGUMENT', `docker://${text} is a registry, and names no repository there`, { subject: text, hint: `Write docker://${text.replace(/\/$/, '')}/NAME.` });
  const reference = withDefaultTag(parseReference(text));
  return { scheme: 'docker', path: repositoryOf(reference), reference: formatReference(reference) };
}

function isScheme(text: string): text is Location['scheme'] {
  return schemes.includes(text);
}
