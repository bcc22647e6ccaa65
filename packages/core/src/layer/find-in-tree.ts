import type { Lookup } from './find.ts';
import { ancestorsOf, nameOf, parentOf } from './path.ts';
import type { LayerPath } from './path.ts';
import type { MergedTree, TreeNode } from './tree.ts';

/** What a merged tree has at a path; a hardlink comes as the file that it is, if that is there. */
export function findInTree(tree: MergedTree, path: LayerPath): Lookup<TreeNode> {
  let above: LayerPath = '';
  for (const ancestor of ancestorsOf(path)) {
    const node = inodeAt(tree, ancestor);
    if (node === undefined) return missing(tree, above);
    if (node.type !== 'directory') return { kind: 'blocked', path: ancestor, type: node.type, linkname: node.linkname };
    above = ancestor;
  }
  const node = inodeAt(tree, path);
  return node === undefined ? missing(tree, parentOf(path)) : { kind: 'found', entry: node };
}

function inodeAt(tree: MergedTree, path: LayerPath): TreeNode | undefined {
  const node = tree.get(path);
  return node?.type === 'hardlink' ? (tree.get(node.linkname) ?? node) : node;
}

function missing(tree: MergedTree, above: LayerPath): Lookup<TreeNode> {
  return { kind: 'missing', path: above, names: tree.children(above).map((node) => nameOf(node.path)) };
}
