import { bytesOfPath, textOfPath } from '@oci-tar/core';
import type { LayerPath, MergedTree, OpenedImage, TreeNode } from '@oci-tar/core';
import { layerJson, layerText, shownPath } from './looking.ts';

const typeLetters: Readonly<Record<TreeNode['type'], string>> = {
  file: '-',
  hardlink: 'h',
  symlink: 'l',
  'character-device': 'c',
  'block-device': 'b',
  directory: 'd',
  fifo: 'p',
  other: '?',
};

/** `-rwxr-xr-x`, as ls writes it; `h` is a hardlink. */
export function modeText({ type, mode }: Pick<TreeNode, 'type' | 'mode'>): string {
  const bit = (at: number, letter: string) => ((mode & at) === 0 ? '-' : letter);
  const execute = (at: number, special: number, letter: string) => {
    if ((mode & special) === 0) return bit(at, 'x');
    return (mode & at) === 0 ? letter.toUpperCase() : letter;
  };
  const user = bit(0o400, 'r') + bit(0o200, 'w') + execute(0o100, 0o4000, 's');
  const group = bit(0o40, 'r') + bit(0o20, 'w') + execute(0o10, 0o2000, 's');
  return typeLetters[type] + user + group + bit(0o4, 'r') + bit(0o2, 'w') + execute(0o1, 0o1000, 't');
}

/** In UTC, whole seconds; a moment that no calendar has comes as its number. */
export function timeText(seconds: number): string {
  const date = new Date(Math.floor(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace('.000Z', 'Z');
}

/** From the root, in one line. */
export function pathText(path: LayerPath): string {
  return `/${shownPath(textOfPath(path))}`;
}

/** Where a link leads; nothing for what is none. */
export function linkText({ type, linkname }: Pick<TreeNode, 'type' | 'linkname'>): string {
  if (type === 'symlink') return ` -> ${shownPath(textOfPath(linkname))}`;
  return type === 'hardlink' ? ` link to ${pathText(linkname)}` : '';
}

/** Bytes of a file, of a hardlink those of its file. */
export function sizeIn(tree: MergedTree, node: TreeNode): number {
  return node.type === 'hardlink' ? (tree.get(node.linkname)?.size ?? 0) : node.size;
}

/** Rows as `ls -l` writes them: mode, owner, size or device, time, layer, name. */
export function longText(image: OpenedImage, tree: MergedTree, nodes: readonly TreeNode[]): string {
  const rows = nodes.map((node) => {
    const device = node.type === 'character-device' || node.type === 'block-device';
    const size = device ? `${node.devmajor},${node.devminor}` : String(sizeIn(tree, node));
    const layer = node.layer === undefined ? '-' : layerText(image, node.layer);
    return { mode: modeText(node), owner: `${node.uid}:${node.gid}`, size, time: timeText(node.mtime), layer, name: pathText(node.path) + linkText(node) };
  });
  const wide = (column: 'owner' | 'size' | 'time' | 'layer') => rows.reduce((most, row) => Math.max(most, row[column].length), 0);
  const [owner, size, time, layer] = [wide('owner'), wide('size'), wide('time'), wide('layer')];
  return rows.map((row) => `${row.mode}  ${row.owner.padEnd(owner)}  ${row.size.padStart(size)}  ${row.time.padEnd(time)}  ${row.layer.padEnd(layer)}  ${row.name}\n`).join('');
}

/** A path for programs; its bytes in base64 where it is not UTF-8. */
export function pathJson(path: LayerPath): object {
  const bytes = bytesOfPath(path);
  const text = textOfPath(path);
  const exact = Buffer.from(text).equals(bytes);
  return { path: `/${text}`, ...(exact ? {} : { pathBase64: Buffer.from(bytes).toString('base64') }) };
}

export function nodeJson(image: OpenedImage, tree: MergedTree, node: TreeNode): object {
  const { path, type, mode, uid, gid, uname, gname, mtime, linkname, devmajor, devminor, pax, layer } = node;
  const xattrs = [...(pax ?? [])].flatMap(([keyword, value]) => (keyword.startsWith('SCHILY.xattr.') ? [[keyword.slice('SCHILY.xattr.'.length), Buffer.from(value).toString('base64')]] : []));
  return {
    ...pathJson(path),
    type,
    size: sizeIn(tree, node),
    mode,
    uid,
    gid,
    ...(uname === '' ? {} : { uname }),
    ...(gname === '' ? {} : { gname }),
    mtime,
    ...(type === 'symlink' ? { target: textOfPath(linkname) } : type === 'hardlink' ? { target: `/${textOfPath(linkname)}` } : {}),
    ...(type === 'character-device' || type === 'block-device' ? { devmajor, devminor } : {}),
    ...(xattrs.length === 0 ? {} : { xattrs: Object.fromEntries(xattrs) }),
    ...(layer === undefined ? {} : { layer: layerJson(image, layer) }),
  };
}
