import { encodeHeader } from '../../packages/core/src/tar/encode.ts';
import { decodeHeader } from '../../packages/core/src/tar/header.ts';
import type { ModelEntry, ModelLayer, ModelNode, ModelTree } from './layer-model.ts';

/** A layer as a tar. The data of a file is its uid, over and over. */
export function tarOf(layer: ModelLayer): Uint8Array {
  return Buffer.concat([...layer.flatMap(blocksOf), new Uint8Array(1024)]);
}

const sizes = [0, 1, 511, 512, 513, 2000];

function blocksOf({ name, type, linkname, uid }: ModelEntry): Uint8Array[] {
  const size = type === 'file' ? (sizes[uid % sizes.length] ?? 0) : 0;
  const header = encodeHeader({ path: name, type, uid, size, mode: uid % 0o1000, mtime: uid, ...(linkname === undefined ? {} : { linkname }), ...(type === 'symlink' ? { linkname: `to-${uid}` } : {}) });
  return size === 0 ? [header] : [header, bodyOf(uid, size), new Uint8Array((512 - (size % 512)) % 512)];
}

function bodyOf(uid: number, size: number): Uint8Array {
  return new Uint8Array(size).fill(uid % 251);
}

/**
 * What comes of unpacking a tar in one go into an empty directory. Throws for what no merged tar may have: a path twice, a link before its
 * target, a body that is not that of its header; with `ordered` also anything before the directory that it is in.
 */
export function unpackedTree(tar: Uint8Array, ordered: boolean): ModelTree {
  const tree: ModelTree = new Map();
  let at = 0;
  for (;;) {
    const block = tar.subarray(at, at + 512);
    if (block.every((byte) => byte === 0)) break;
    const { path: written, typeflag, uid, size, linkname, mtime } = decodeHeader(block, at);
    at += 512;
    const body = tar.subarray(at, at + size);
    at += Math.ceil(size / 512) * 512;
    const isRoot = written === './';
    const path = isRoot ? '' : typeflag === '5' ? written.slice(0, -1) : written;
    if (path.split('/').some((part) => (part === '' && !isRoot) || part.startsWith('.wh.'))) throw new Error(`${written} is no normal name`);
    if (tree.has(path)) throw new Error(`${path} is there twice`);
    const above = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    if (ordered && above !== '' && !tree.has(above)) throw new Error(`${path} comes before ${above}`);
    const type = typeOf(typeflag);
    if (type === 'hardlink') {
      const target = tree.get(linkname);
      if (target === undefined || target.type === 'directory') throw new Error(`${path} is a link to ${linkname}, which is not there yet`);
      tree.set(path, target);
      continue;
    }
    // A directory that nobody has an entry of is of time 0; all others have a uid above 0.
    if (mtime !== uid) throw new Error(`${path} has mixed attributes`);
    if (type === 'file' && (size !== sizes[uid % sizes.length] || body.some((byte) => byte !== uid % 251))) throw new Error(`${path} has another file's data`);
    if (type === 'symlink' && linkname !== `to-${uid}`) throw new Error(`${path} points elsewhere`);
    tree.set(path, { type, uid });
  }
  if (tar.length !== at + 1024 || tar.subarray(at).some((byte) => byte !== 0)) throw new Error('the end is not 1024 zeros');
  return tree;
}

/** The entries of a tar, to be applied as a layer. */
export function layerOf(tar: Uint8Array): ModelLayer {
  const layer: ModelEntry[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const { path: name, typeflag, uid, size, linkname } = decodeHeader(tar.subarray(at, at + 512), at);
    at += 512 + Math.ceil(size / 512) * 512;
    layer.push({ name, type: typeOf(typeflag), uid, linkname });
  }
  return layer;
}

function typeOf(typeflag: string): ModelNode['type'] & ModelEntry['type'] {
  const found = ({ '0': 'file', '1': 'hardlink', '2': 'symlink', '5': 'directory', '6': 'fifo' } as const)[typeflag];
  if (found === undefined) throw new Error(`there is no type ${typeflag} here`);
  return found;
}
