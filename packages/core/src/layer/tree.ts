import type { PaxRecords } from '../tar/pax.ts';
import type { HeaderFields } from './attributes.ts';
import type { LayerPath } from './path.ts';

/**
 * What the headers say of one path of a merged tree. The size is 0 for all but files, of a sparse file its full size. The linkname is of a symlink
 * its target as written, of a hardlink the `LayerPath` of the file that it is the same as.
 */
export interface TreeNode extends HeaderFields {
  readonly path: LayerPath;
  /** The PAX records that the fields do not speak for (`SCHILY.xattr.*`), where there are any. */
  readonly pax?: PaxRecords;
  /** The layer that it comes from, as numbered by the caller; undefined for a directory that no layer has an entry of. */
  readonly layer: number | undefined;
}

/** What one layer does to the tree below it. */
export interface LayerEffect {
  /** Entries of the layer itself, without whiteouts. */
  readonly entries: number;
  /** Of those the ones that are in the merged tree. */
  readonly visible: number;
  /** Paths of the layers below that are gone or replaced because of this one. */
  readonly hides: number;
  readonly whiteouts: number;
  /** Bytes of the files that it has, seen or not. */
  readonly bytes: number;
}

/** Some layers seen as one tree. */
export interface MergedTree {
  /** Every path but the root, parents before what is in them, sorted by their bytes. */
  nodes(): Iterable<TreeNode>;
  /** One path (`''` is the root); undefined where the tree has none. Links are not followed. */
  get(path: LayerPath): TreeNode | undefined;
  /** What is in a directory, sorted. */
  children(path: LayerPath): readonly TreeNode[];
  /** In the order in which the layers were given. */
  readonly layers: readonly LayerEffect[];
}
