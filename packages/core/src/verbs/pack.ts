import { walkPath } from '#runtime/tree';
import { OciTarError } from '../errors.ts';
import type { TreeEntry, TreeOptions } from '../runtime/tree.ts';
import { pack } from '../tar/pack.ts';
import type { TarPiece } from '../tar/pack.ts';

/** How files on disk become entries: owners, times, the size of reads, extended attributes. */
export type PackOptions = TreeOptions;

/** Something on disk, and what it is called in the archive. */
export interface PackSource {
  readonly path: string;
  /**
   * Parts joined by `/`, neither absolute nor with `..`. By default what is in a directory is at the top of the archive, and
   * a file has its own name.
   */
  readonly name?: string;
}

/** The archive of a directory as pieces: what is in it, the directory itself left out. As `packFiles` otherwise. */
export function packTree(root: string, options: PackOptions = {}): AsyncGenerator<TarPiece, void, void> {
  return packFiles([{ path: root, name: '' }], options);
}

/**
 * An archive of directories and single files as pieces, pulled one by one: `pieceBytes` makes a stream of them that any
 * consumer takes, be it a file, the body of a request or a layer. Sources come in their order, the entries of each sorted by the bytes of
 * their paths; hardlinks are found between all of them. Where two sources have the same directory, the first one's
 * attributes stand; where they have anything else of the same name: CONFLICT. NOT_FOUND, FORBIDDEN, INVALID_ARGUMENT;
 * SIZE_MISMATCH for a file that shrank or grew after its header was written.
 */
export function packFiles(sources: readonly (string | PackSource)[], options: PackOptions = {}): AsyncGenerator<TarPiece, void, void> {
  return pack(entriesOf(sources, options));
}

function entriesOf(sources: readonly (string | PackSource)[], options: PackOptions): AsyncIterable<TreeEntry> {
  const [first, ...others] = sources.map((source) => sourceOf(source));
  if (first === undefined) return merged([], options);
  // What one source has need not be remembered.
  return others.length === 0 ? walkPath(first.path, first.name, options) : merged([first, ...others], options);
}

function sourceOf(source: string | PackSource): PackSource {
  const { path, name }: PackSource = typeof source === 'string' ? { path: source } : source;
  return name === undefined ? { path } : { path, name: checkedName(name) };
}

async function* merged(sources: readonly PackSource[], options: PackOptions): AsyncGenerator<TreeEntry, void, void> {
  const links = new Map<string, Uint8Array>();
  const taken = new Map<string, boolean>();
  const { onEntry, ...others } = options;
  for (const { path, name } of sources) {
    for await (const entry of walkPath(path, name, { ...others, links })) {
      if (!isNew(entry, path, taken)) continue;
      onEntry?.(entry);
      yield entry;
    }
  }
}

function isNew(entry: TreeEntry, from: string, taken: Map<string, boolean>): boolean {
  const directory = entry.type === 'directory';
  // One character a byte: a name that is not UTF-8 must not be mistaken for another.
  const key = String.fromCharCode(...entry.pathBytes.subarray(0, directory ? -1 : undefined));
  const before = taken.get(key);
  if (before === undefined) taken.set(key, directory);
  else if (!before || !directory) {
    const message = `${JSON.stringify(entry.path)} of ${from} is in the archive already`;
    throw new OciTarError('CONFLICT', message, { subject: entry.path, hint: 'Give one of the two another name, or pack them apart.' });
  }
  return before === undefined;
}

function checkedName(name: string): string {
  const parts = name === '' ? [] : name.replace(/\/$/, '').split('/');
  if (parts.every((part) => part !== '' && part !== '.' && part !== '..' && !part.includes('\0'))) return parts.join('/');
  throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(name)} is no name for an entry of an archive: it is absolute or has empty, . or .. parts`, { subject: name });
}
