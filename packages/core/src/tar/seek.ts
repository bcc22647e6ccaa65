import { OciTarError } from '../errors.ts';
import type { ByteSource } from '../bytes/types.ts';
import { paddingOf } from './block.ts';
import type { TarEntry, TarType } from './entry.ts';
import { GroupReader } from './group.ts';
import { decodeExact } from './text.ts';
import { missingEnd, truncatedEntry } from './tokens.ts';
import { SourceWindow } from './window.ts';

/** Where an entry of an archive at rest is, and what it is. */
export interface TarIndexEntry {
  readonly path: string;
  /** Only where the name is not UTF-8, so that `path` is not exact. */
  readonly pathBytes?: Uint8Array;
  readonly type: TarType;
  readonly mode: number;
  /** Bytes of the body. */
  readonly size: number;
  readonly linkname: string;
  /** Position of the first header block. */
  readonly offset: number;
  /** Position of the body. */
  readonly dataOffset: number;
  /** As in `TarEntry`: the body is not the file's bytes. Its map is found by reading the entry again, with `entries` from `offset`. */
  readonly sparse?: { readonly realSize: number };
}

export interface IndexOptions {
  /** Bytes that one entry's headers may take together: 1 MiB by default. LIMIT_EXCEEDED. */
  readonly headerLimit?: number;
  /** Entries that an archive may have: 1,000,000 by default. LIMIT_EXCEEDED. */
  readonly entryLimit?: number;
  /** Whether an archive without an end marker is an error; true by default. */
  readonly requireEnd?: boolean;
  readonly signal?: AbortSignal;
}

/** All that `seekTar` finds. */
export async function indexTar(source: ByteSource, options: IndexOptions = {}): Promise<TarIndexEntry[]> {
  const found: TarIndexEntry[] = [];
  for await (const entry of seekTar(source, options)) found.push(entry);
  return found;
}

/**
 * The entries of an archive at rest, found by reading its headers and jumping over the bodies.
 * INVALID_TAR as in `tokens`, also where a body reaches beyond the end of the source.
 */
export async function* seekTar(source: ByteSource, options: IndexOptions = {}): AsyncGenerator<TarIndexEntry, void, void> {
  const { entryLimit = 1_000_000, requireEnd = true, signal } = options;
  const groups = new GroupReader(options.headerLimit);
  const window = new SourceWindow(source);
  let count = 0;
  for (let offset = 0; ; ) {
    signal?.throwIfAborted();
    const group = await groups.read(offset, (n) => window.at(offset, n));
    if (group === undefined) {
      if (requireEnd) throw missingEnd(source.size);
      return;
    }
    if (group.kind === 'invalid') throw group.error;
    if (group.kind === 'end') return;
    offset += group.length;
    if (group.kind === 'global') continue;
    const { entry } = group;
    count += 1;
    if (count > entryLimit) throw tooMany(entryLimit, entry.offset);
    offset += entry.size + paddingOf(entry.size);
    if (offset > source.size) throw truncatedEntry(entry, source.size);
    yield toIndex(entry);
  }
}

/** Only what was copied out of the header block: a view would keep the whole window. */
function toIndex(entry: TarEntry): TarIndexEntry {
  const { path, type, mode, size, linkname, offset, dataOffset, pathBytes, sparse } = entry;
  const index = { path, type, mode, size, linkname, offset, dataOffset };
  const lossy = path.includes('\ufffd') && decodeExact(pathBytes) === undefined;
  if (!lossy && sparse === undefined) return index;
  return { ...index, ...(lossy && { pathBytes: pathBytes.slice() }), ...(sparse && { sparse: { realSize: sparse.realSize } }) };
}

function tooMany(limit: number, offset: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `the tar archive has more than ${limit} entries`, { limit, offset });
}
