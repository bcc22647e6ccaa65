import { OciTarError } from '../errors.ts';
import type { TarType } from '../tar/entry.ts';
import { nameOf, parentOf, textOfPath } from './path.ts';
import type { LayerPath } from './path.ts';

/** What an entry of a layer means for the tree (image-spec, layer.md, Whiteouts). */
export type LayerMark =
  | { readonly kind: 'entry'; readonly path: LayerPath }
  /** Takes `path` of the layers below away, with all that is in it. */
  | { readonly kind: 'whiteout'; readonly path: LayerPath }
  /** Takes away what the layers below have in the directory `path`. */
  | { readonly kind: 'opaque'; readonly path: LayerPath }
  /** AUFS's own book-keeping at the root (`.wh..wh.plnk` and the like): no part of the tree, but hardlinks may point into it. */
  | { readonly kind: 'metadata'; readonly path: LayerPath };

const prefix = '.wh.';
const opaqueName = '.wh..wh..opq';
const metadataPrefix = '.wh..wh.';

/**
 * Tells whiteouts from entries, by the last part of the path. A directory is never a whiteout.
 * UNSAFE_PATH for `.wh.`, `.wh..` and `.wh...`, which would take away nothing, the directory itself, or the one above it.
 */
export function markOf(path: LayerPath, type: TarType): LayerMark {
  const top = path.slice(0, path.indexOf('/') + 1 || path.length);
  if (top.startsWith(metadataPrefix) && !(path === opaqueName && type !== 'directory')) return { kind: 'metadata', path };
  const name = nameOf(path);
  if (type === 'directory' || !name.startsWith(prefix)) return { kind: 'entry', path };
  const parent = parentOf(path);
  if (name === opaqueName) return { kind: 'opaque', path: parent };
  const hidden = name.slice(prefix.length);
  if (hidden === '' || hidden === '.' || hidden === '..') {
    const text = textOfPath(path);
    throw new OciTarError('UNSAFE_PATH', `${JSON.stringify(text)} is a whiteout of nothing that has a name`, { subject: text });
  }
  return { kind: 'whiteout', path: parent === '' ? hidden : `${parent}/${hidden}` };
}
