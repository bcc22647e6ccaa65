import type { AttributeTable } from './attributes.ts';
import { vis } from './merge-columns.ts';
import type { MergeState } from './merge-state.ts';
import type { LayerPath } from './path.ts';
import { rootId } from './path-table.ts';
import type { LayerEffect, MergedTree, TreeNode } from './tree.ts';

/** The tree that a finished merge has made; nodes are put together when they are asked for. */
export class TableTree implements MergedTree {
  readonly layers: readonly LayerEffect[];
  readonly #state: MergeState;
  readonly #rows: AttributeTable;
  /** The paths of the tree but the root, sorted; made when first asked for. */
  #sorted: Int32Array | undefined;
  /** The same by directory: the first child of each path, and its next sibling; 0 is none. */
  #siblings: { readonly first: Int32Array; readonly next: Int32Array } | undefined;

  constructor(state: MergeState, rows: AttributeTable) {
    this.#state = state;
    this.#rows = rows;
    this.layers = state.effects;
  }

  *nodes(): Generator<TreeNode, void, void> {
    this.#sorted ??= this.#sort();
    for (const id of this.#sorted) yield this.#node(id);
  }

  get(path: LayerPath): TreeNode | undefined {
    const id = this.#state.paths.find(path);
    return id === undefined || !this.#isThere(id) ? undefined : this.#node(id);
  }

  children(path: LayerPath): readonly TreeNode[] {
    const directory = this.#state.paths.find(path);
    if (directory === undefined || !this.#isThere(directory)) return [];
    const { first, next } = (this.#siblings ??= this.#link());
    const found: TreeNode[] = [];
    for (let id = first[directory] ?? 0; id !== 0; id = next[id] ?? 0) found.push(this.#node(id));
    return found.sort((a, b) => compare(a.path, b.path));
  }

  #isThere(id: number): boolean {
    return id === rootId || this.#state.isThere(id);
  }

  #sort(): Int32Array {
    const { paths } = this.#state;
    const texts: string[] = [];
    const ids = new Int32Array(paths.size);
    for (let id = rootId + 1; id < paths.size; id++) if (this.#state.isThere(id)) ids[texts.push(paths.path(id)) - 1] = id;
    // Positions are sorted, not objects of path and id, which a million of would take as much again.
    return Int32Array.from({ length: texts.length }, (_, position) => position)
      .sort((a, b) => compare(texts[a] ?? '', texts[b] ?? ''))
      .map((position) => ids[position] ?? 0);
  }

  #link(): { readonly first: Int32Array; readonly next: Int32Array } {
    const { paths } = this.#state;
    const first = new Int32Array(paths.size);
    const next = new Int32Array(paths.size);
    for (let id = paths.size - 1; id > rootId; id--) {
      if (!this.#state.isThere(id)) continue;
      const parent = paths.parent(id);
      next[id] = first[parent] ?? 0;
      first[parent] = id;
    }
    return { first, next };
  }

  #node(id: number): TreeNode {
    const { columns, paths } = this.#state;
    const path = paths.path(id);
    const row = columns.row[id] ?? -1;
    if (columns.vis[id] === vis.implied || row < 0) return { ...implied, path };
    const layer = (columns.winner[id] ?? 0) - 1;
    const { pax, globals: _globals, ...attributes } = this.#rows.get(row);
    const target = columns.linkTo[id] ?? 0;
    const link = target > 0 ? { type: 'hardlink', size: 0, linkname: paths.path(target) } as const : {};
    return { path, ...attributes, ...link, ...(pax.size === 0 ? {} : { pax }), layer };
  }
}

/** A directory that no layer has an entry of: what container runtimes make of it (an open question of the image-spec). */
const implied: Omit<TreeNode, 'path'> = {
  type: 'directory',
  size: 0,
  mode: 0o755,
  uid: 0,
  gid: 0,
  uname: '',
  gname: '',
  mtime: 0,
  linkname: '',
  devmajor: 0,
  devminor: 0,
  layer: undefined,
};

/** Paths are strings of bytes, so the order of their characters is that of their bytes. */
function compare(a: LayerPath, b: LayerPath): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
