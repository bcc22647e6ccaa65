/**
 * What layers mean, said as simply as possible: applied one by one, the base first, to a map of paths. Slow and plain on purpose; the
 * merge under test goes the other way round and keeps no such map.
 */

export interface ModelEntry {
  /** As it is written in the tar. */
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo';
  readonly linkname?: string;
  /** Unlike that of any other entry: it stands for all attributes and for the data. */
  readonly uid: number;
}

export type ModelLayer = readonly ModelEntry[];

/** What is at a path. Hardlinks to the same file share one object. */
export interface ModelNode {
  readonly type: ModelEntry['type'] | 'implied' | 'dangling';
  readonly uid: number;
}

export type ModelTree = Map<string, ModelNode>;

const implied: ModelNode = { type: 'implied', uid: 0 };

export function normal(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/** Layers from the base up; links to nothing stay as `dangling`. */
export function applyLayers(layers: readonly ModelLayer[]): ModelTree {
  const tree: ModelTree = new Map();
  for (const layer of layers) applyLayer(tree, layer);
  return tree;
}

function applyLayer(tree: ModelTree, layer: ModelLayer): void {
  const before = new Map(tree);
  for (const { what, path } of layer.map(meaning)) {
    if (what === 'whiteout') remove(tree, path);
    if (what === 'opaque') removeBelow(tree, path);
  }
  /** What this layer has put where, and is there still. */
  const placed: ModelTree = new Map();
  const aufs: ModelTree = new Map();
  for (const entry of layer) {
    const { what, path } = meaning(entry);
    if (what === 'aufs') {
      if (entry.type !== 'directory') aufs.set(path, nodeOf(entry, placed, before, aufs));
      continue;
    }
    if (path !== '') makeDirectory(tree, placed, parent(path));
    if (what === 'opaque') makeDirectory(tree, placed, path);
    if (what !== 'entry') continue;
    if (entry.type === 'directory') {
      if (tree.has(path) && !isDirectory(tree.get(path))) remove(tree, path);
      const node: ModelNode = { type: 'directory', uid: entry.uid };
      tree.set(path, node);
      placed.set(path, node);
    } else {
      const node = nodeOf(entry, placed, before, aufs);
      remove(tree, path);
      remove(placed, path);
      tree.set(path, node);
      placed.set(path, node);
    }
  }
}

function nodeOf(entry: ModelEntry, placed: ModelTree, before: ModelTree, aufs: ModelTree): ModelNode {
  if (entry.type !== 'hardlink') return { type: entry.type, uid: entry.uid };
  const target = normal(entry.linkname ?? '');
  const found = [placed.get(target), aufs.get(target), before.get(target)].find((node) => node !== undefined && !isDirectory(node));
  return found ?? { type: 'dangling', uid: entry.uid };
}

function makeDirectory(tree: ModelTree, placed: ModelTree, path: string): void {
  if (path === '') return;
  makeDirectory(tree, placed, parent(path));
  if (isDirectory(tree.get(path))) return;
  tree.set(path, implied);
  placed.delete(path);
}

function isDirectory(node: ModelNode | undefined): boolean {
  return node?.type === 'directory' || node?.type === 'implied';
}

function remove(tree: ModelTree, path: string): void {
  tree.delete(path);
  removeBelow(tree, path);
}

function removeBelow(tree: ModelTree, path: string): void {
  for (const one of tree.keys()) if (one !== path && (path === '' || one.startsWith(`${path}/`))) tree.delete(one);
}

function parent(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

/** The rules of names. */
export function meaning({ name, type }: ModelEntry): { readonly what: 'entry' | 'whiteout' | 'opaque' | 'aufs'; readonly path: string } {
  const path = normal(name);
  const last = path.split('/').at(-1) ?? '';
  const isMarker = type !== 'directory' && last.startsWith('.wh.');
  if (isMarker && last === '.wh..wh..opq') return { what: 'opaque', path: parent(path) };
  if (path.startsWith('.wh..wh.')) return { what: 'aufs', path };
  if (!isMarker) return { what: 'entry', path };
  return { what: 'whiteout', path: normal(`${parent(path)}/${last.slice(4)}`) };
}

/** Whether a layer says two things of one path, which the image-spec forbids. */
export function contradicts(layer: ModelLayer): boolean {
  const directories = new Set<string>();
  const others = new Set<string>();
  const mustBeDirectories = new Set<string>();
  for (const entry of layer) {
    const { what, path } = meaning(entry);
    if (what === 'aufs') continue;
    for (let above = parent(path); above !== ''; above = parent(above)) mustBeDirectories.add(above);
    if (what === 'opaque') mustBeDirectories.add(path);
    if (what !== 'entry') continue;
    if (directories.has(path) || others.has(path)) return true;
    (entry.type === 'directory' ? directories : others).add(path);
  }
  return [...mustBeDirectories].some((path) => others.has(path));
}

/** The tree as text, to be compared: each path with its type, its attributes and all names of the same file. */
export function shown(tree: ModelTree): string {
  const names = new Map<ModelNode, string>();
  const lines: string[] = [];
  for (const path of [...tree.keys()].sort()) {
    const node = tree.get(path);
    if (node === undefined || node.type === 'dangling') continue;
    if (isDirectory(node)) {
      lines.push(`${path} ${node.type === 'implied' ? 'directory' : node.type} ${node.uid}`);
      continue;
    }
    const first = names.get(node) ?? path;
    names.set(node, first);
    lines.push(`${path} ${node.type} ${node.uid} = ${first}`);
  }
  return lines.join('\n');
}
