import { isOciTarError } from '../errors.ts';
import { openVouchedToc } from '../image/layer-toc.ts';
import type { ImageLayer, OpenedImage } from '../image/layers.ts';
import { tocEntries } from '../layer/find-in-toc.ts';
import { findInTree } from '../layer/find-in-tree.ts';
import { followPath } from '../layer/find-path.ts';
import type { LayerPath } from '../layer/path.ts';
import { readTree } from '../layer/read-tree.ts';
import type { ListedLayer } from '../layer/read-tree.ts';
import type { MergedTree, TreeNode } from '../layer/tree.ts';
import { imageOf, lookRules } from './image-request.ts';
import type { ImageRequest } from './image-request.ts';

/** The tree of an image, each layer read and verified once, or its TOC. */
export interface ImageTree {
  readonly image: OpenedImage;
  /** Its layers are numbered from the base, which is 0. */
  readonly tree: MergedTree;
}

/**
 * Reads the headers of all layers of an image into one tree, as its containers see it. All layers are verified. Of a layer for whose TOC the
 * manifest vouches only the TOC is read.
 */
export async function readImageTree(request: ImageRequest): Promise<ImageTree> {
  const image = await imageOf(request);
  return { image, tree: await treeOf(image, request.signal) };
}

export interface ListRequest extends ImageRequest {
  /** A directory, or one other path; the root by default. Symlinks on the way are followed, and one to a directory at its end. */
  readonly path?: string;
  /** Whether what is in the directories inside is listed too. */
  readonly recursive?: boolean;
}

export interface ImageListing extends ImageTree {
  /** Where the path led. */
  readonly path: LayerPath;
  /** Parents before what is in them, sorted by the bytes of their paths; the directory itself is not among them. */
  readonly nodes: readonly TreeNode[];
  /** The same one by one: a million of them need not be held. */
  each(): Iterable<TreeNode>;
}

/** What an image has at a path: the contents of a directory, or the one thing that is there. NOT_FOUND, naming what is near. */
export async function listFiles(request: ListRequest): Promise<ImageListing> {
  const found = await readImageTree(request);
  const { path, each } = await listTree(found.tree, request.path ?? '', request.recursive ?? false);
  let nodes: readonly TreeNode[] | undefined;
  return {
    ...found,
    path,
    each,
    get nodes() {
      return (nodes ??= [...each()]);
    },
  };
}

async function listTree(tree: MergedTree, path: string, recursive: boolean): Promise<Pick<ImageListing, 'path' | 'each'>> {
  const place = await placeIn(tree, path);
  const node = place === '' ? undefined : tree.get(place);
  if (node !== undefined && node.type !== 'directory') return { path: place, each: () => [node] };
  return { path: place, each: () => (recursive ? below(tree, place) : tree.children(place)) };
}

/** A symlink to what is no directory, or to nothing, is listed itself. */
async function placeIn(tree: MergedTree, path: string): Promise<LayerPath> {
  const itself = await followPath(path, (wanted) => findInTree(tree, wanted), { last: false });
  if (tree.get(itself.path)?.type !== 'symlink') return itself.path;
  try {
    const { path: led, entry } = await followPath(path, (wanted) => findInTree(tree, wanted));
    return entry === undefined || entry.type === 'directory' ? led : itself.path;
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND') || isOciTarError(error, 'LIMIT_EXCEEDED')) return itself.path;
    throw error;
  }
}

function* below(tree: MergedTree, path: LayerPath): Generator<TreeNode, void, void> {
  const prefix = path === '' ? '' : `${path}/`;
  for (const node of tree.nodes()) if (node.path.startsWith(prefix)) yield node;
}

async function treeOf({ layers }: OpenedImage, signal: AbortSignal | undefined): Promise<MergedTree> {
  const inputs = layers.map((layer) => inputOf(layer, signal));
  return baseFirst(await readTree(inputs.toReversed(), { ...lookRules, ...(signal === undefined ? {} : { signal }) }));
}

function inputOf(layer: ImageLayer, signal: AbortSignal | undefined): ListedLayer {
  return {
    read: () => layer.read(),
    isPlain: true,
    async entries() {
      const toc = await openVouchedToc(layer, signal);
      return toc === undefined ? undefined : tocEntries(toc, signal);
    },
  };
}

/** The same tree with its layers numbered from the base. */
function baseFirst(tree: MergedTree): MergedTree {
  const last = tree.layers.length - 1;
  const renumbered = (node: TreeNode): TreeNode => (node.layer === undefined ? node : { ...node, layer: last - node.layer });
  return {
    *nodes() {
      for (const node of tree.nodes()) yield renumbered(node);
    },
    get(path) {
      const node = tree.get(path);
      return node === undefined ? undefined : renumbered(node);
    },
    children: (path) => tree.children(path).map(renumbered),
    layers: tree.layers.toReversed(),
  };
}
