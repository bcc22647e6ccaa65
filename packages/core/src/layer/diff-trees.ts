import type { Digest } from '../spec/digest.ts';
import { noRecords } from '../tar/pax.ts';
import type { PaxRecords } from '../tar/pax.ts';
import type { LayerPath } from './path.ts';
import type { MergedTree, TreeNode } from './tree.ts';

/** What of a file can differ. */
export type ChangedPart = 'type' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'xattrs' | 'mtime';

/** One path in which two trees differ; a hardlink counts as the file that it is. */
export type FileChange =
  | { readonly kind: 'added'; readonly path: LayerPath; readonly after: TreeNode }
  | { readonly kind: 'removed'; readonly path: LayerPath; readonly before: TreeNode }
  | { readonly kind: 'changed'; readonly path: LayerPath; readonly before: TreeNode; readonly after: TreeNode; readonly parts: readonly ChangedPart[] };

export interface DiffOptions {
  /** Whether another time of change alone is a difference; not by default. */
  readonly mtime?: boolean;
}

/** A tree with what is known of its files' bytes. */
export interface ComparedTree {
  readonly tree: MergedTree;
  /** Of the file at a path that is no link. Files with equal numbers in `shared` are one and the same. */
  contents(path: LayerPath): { readonly digest?: Digest; readonly shared?: number };
}

/** The differences of two trees, sorted. Files of one size and without a digest count as different. */
export function compareTrees(before: ComparedTree, after: ComparedTree, options: DiffOptions = {}): readonly FileChange[] {
  const changes: FileChange[] = [];
  const [a, b] = [before.tree.nodes()[Symbol.iterator](), after.tree.nodes()[Symbol.iterator]()];
  let [left, right] = [a.next(), b.next()];
  while (left.done !== true || right.done !== true) {
    const one = left.done === true ? undefined : left.value;
    const other = right.done === true ? undefined : right.value;
    if (one !== undefined && (other === undefined || one.path < other.path)) {
      changes.push({ kind: 'removed', path: one.path, before: fileOf(before, one) });
      left = a.next();
    } else if (other !== undefined && (one === undefined || other.path < one.path)) {
      changes.push({ kind: 'added', path: other.path, after: fileOf(after, other) });
      right = b.next();
    } else if (one !== undefined && other !== undefined) {
      const [old, now] = [fileOf(before, one), fileOf(after, other)];
      const parts = partsOf(old, now, options, () => sameContents(before.contents(old.path), after.contents(now.path)));
      if (parts.length > 0) changes.push({ kind: 'changed', path: one.path, before: old, after: now, parts });
      [left, right] = [a.next(), b.next()];
    }
  }
  return changes;
}

function fileOf({ tree }: ComparedTree, node: TreeNode): TreeNode {
  return node.type === 'hardlink' ? (tree.get(node.linkname) ?? node) : node;
}

function sameContents(a: ReturnType<ComparedTree['contents']>, b: ReturnType<ComparedTree['contents']>): boolean {
  if (a.shared !== undefined && a.shared === b.shared) return true;
  return a.digest !== undefined && a.digest === b.digest;
}

function partsOf(a: TreeNode, b: TreeNode, { mtime = false }: DiffOptions, sameBytes: () => boolean): readonly ChangedPart[] {
  const parts: ChangedPart[] = [];
  const add = (part: ChangedPart, differs: boolean) => {
    if (differs) parts.push(part);
  };
  add('type', a.type !== b.type);
  if (a.type === b.type) {
    add('content', a.type === 'file' && (a.size !== b.size || (a.size > 0 && !sameBytes())));
    add('target', a.linkname !== b.linkname);
    add('device', a.devmajor !== b.devmajor || a.devminor !== b.devminor);
    // That of a symlink means nothing, and tools differ in what they write.
    add('mode', a.type !== 'symlink' && (a.mode & 0o7777) !== (b.mode & 0o7777));
  }
  add('owner', a.uid !== b.uid || a.gid !== b.gid);
  add('xattrs', !sameXattrs(a.pax ?? noRecords, b.pax ?? noRecords));
  add('mtime', mtime && a.mtime !== b.mtime);
  return parts;
}

const xattr = 'SCHILY.xattr.';

function sameXattrs(a: PaxRecords, b: PaxRecords): boolean {
  const [old, now] = [a, b].map((records) => new Map([...records].filter(([keyword]) => keyword.startsWith(xattr))));
  if (old === undefined || now === undefined || old.size !== now.size) return false;
  for (const [keyword, value] of old) {
    const other = now.get(keyword);
    if (other === undefined || other.length !== value.length || !value.every((byte, at) => byte === other[at])) return false;
  }
  return true;
}
