import type { OpenedImage } from '../image/layers.ts';
import { diffLayers } from '../layer/diff.ts';
import type { DiffOptions, FileChange } from '../layer/diff-trees.ts';
import type { TreeNode } from '../layer/tree.ts';
import { imageOf, lookRules } from './image-request.ts';
import type { ImageRequest } from './image-request.ts';

export interface DiffRequest extends DiffOptions {
  readonly before: ImageRequest;
  readonly after: ImageRequest;
  readonly signal?: AbortSignal;
}

export interface ImageDiff {
  readonly before: OpenedImage;
  readonly after: OpenedImage;
  /** Lowest layers that both have. */
  readonly shared: number;
  /** Sorted by the bytes of the paths. The layers of nodes are numbered from the base of their image, which is 0. */
  readonly changes: readonly FileChange[];
}

/**
 * The files that were added, removed or changed from one image to another: in type, bytes, link target, mode, owner, extended
 * attributes, and on request time. Files of the same size are told by their digest. The lowest layers that both have are read once, and
 * not at all where there is nothing above them; each that is read is verified.
 */
export async function diffImages(request: DiffRequest): Promise<ImageDiff> {
  const [before, after] = [await imageOf(request.before), await imageOf(request.after)];
  const differs = before.layers.findIndex((layer, position) => layer.diffID !== after.layers[position]?.diffID);
  const shared = differs < 0 ? before.layers.length : differs;
  const inputs = ({ layers }: OpenedImage, from: number, to = layers.length) => layers.slice(from, to).map((layer) => ({ read: () => layer.read(), isPlain: true })).toReversed();
  const layers = { before: inputs(before, shared), after: inputs(after, shared), shared: inputs(before, 0, shared) };
  const changes = await diffLayers(layers, { ...request, ...lookRules });
  return { before, after, shared, changes: changes.map((change) => numbered(change, before, after)) };
}

function numbered(change: FileChange, before: OpenedImage, after: OpenedImage): FileChange {
  const fromBase = (node: TreeNode, { layers }: OpenedImage): TreeNode => ({ ...node, layer: node.layer === undefined ? undefined : layers.length - 1 - node.layer });
  if (change.kind === 'added') return { ...change, after: fromBase(change.after, after) };
  if (change.kind === 'removed') return { ...change, before: fromBase(change.before, before) };
  return { ...change, before: fromBase(change.before, before), after: fromBase(change.after, after) };
}
