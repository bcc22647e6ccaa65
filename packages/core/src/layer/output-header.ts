import { encodeHeader } from '../tar/encode.ts';
import type { HeaderFields } from '../tar/encode.ts';
import type { TarEntry } from '../tar/entry.ts';
import { parseNumber } from '../tar/number.ts';
import { blockSize } from '../tar/block.ts';
import { readSparseMap } from '../tar/sparse-map.ts';
import { ByteReader } from '../bytes/reader.ts';
import { encodeText } from '../tar/text.ts';
import { bytesOfPath, textOfPath } from './path.ts';
import type { LayerPath } from './path.ts';
import type { PlainFields, Winner } from './winner.ts';

/** The name as it is written: a directory's ends in a slash, the root is `./`. */
export function writtenPath(path: LayerPath, isDirectory: boolean): LayerPath {
  if (path === '') return './';
  return isDirectory ? `${path}/` : path;
}

/** The header fields of what is no entry of a layer as it stands. */
export function fieldsOf(winner: Extract<Winner, { kind: 'directory' | 'link' | 'whiteout' }>): HeaderFields & { readonly pathBytes: Uint8Array } {
  const { mode, uid, gid, uname, gname, mtime, pax, globals }: PlainFields = winner.fields;
  // Bits above the permissions are the type in some old archives, and fit no header when they are many.
  const plain = { mode: mode % 0o10000000, uid, gid, uname, gname, mtime, pax, globals };
  const { path, pathBytes } = named(writtenPath(winner.path, winner.kind === 'directory'));
  if (winner.kind === 'directory') return { path, pathBytes, type: 'directory', ...plain };
  if (winner.kind === 'whiteout') return { path, pathBytes, type: 'file', ...plain };
  return { path, pathBytes, type: 'hardlink', linkname: textOfPath(winner.target), linknameBytes: bytesOfPath(winner.target), ...plain };
}

/** The header blocks of what is seen: as they are in the layer where nothing about them has to change, else written anew. */
export async function outputHeader(winner: Winner): Promise<Uint8Array> {
  if (winner.kind !== 'entry') return encodeHeader(fieldsOf(winner));
  const { entry, header, path } = winner;
  if (isAsWritten(entry, header, path)) return header;
  const plain = entry.type === 'file' && entry.typeflag === 'S' ? await asPaxSparse(entry) : entry;
  return encodeHeader({ ...plain, ...named(path), mode: entry.mode % 0o10000000 });
}

function named(path: LayerPath): { readonly path: string; readonly pathBytes: Uint8Array } {
  return { path: textOfPath(path), pathBytes: bytesOfPath(path) };
}

function isAsWritten(entry: TarEntry, header: Uint8Array, path: LayerPath): boolean {
  // Global records hold for what comes after them, which is another archive's entries by now.
  if (entry.globals.size > 0 || entry.pathBytes.length !== path.length) return false;
  for (let i = 0; i < path.length; i++) if (entry.pathBytes[i] !== path.charCodeAt(i)) return false;
  if (entry.type === 'file' || entry.type === 'other') return true;
  // Readers disagree on whether a body follows.
  return parseNumber(header, header.length - blockSize + 124, header.length - blockSize + 136) === 0;
}

/** A sparse file of the old GNU kind, whose map is in blocks of its own, as one of PAX 0.1, whose map is a record. The body is the same. */
async function asPaxSparse(entry: TarEntry): Promise<HeaderFields> {
  const realSize = entry.sparse?.realSize ?? entry.size;
  const pieces = await readSparseMap(entry, realSize, new ByteReader(empty(), entry.dataOffset), maxPieces);
  const map = [...pieces.flatMap(({ offset, size }) => [offset, size]), realSize, 0].join(',');
  const pax = new Map(entry.pax);
  pax.set('GNU.sparse.size', encodeText(String(realSize)));
  pax.set('GNU.sparse.numblocks', encodeText(String(pieces.length + 1)));
  pax.set('GNU.sparse.map', encodeText(map));
  pax.set('GNU.sparse.name', entry.pathBytes);
  return { ...entry, typeflag: '0', pax };
}

/** As many as fit the headers of an entry. */
const maxPieces = 100_000;

async function* empty(): AsyncGenerator<Uint8Array, void, void> {}
