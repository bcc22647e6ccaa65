import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { TarEntry } from '../tar/entry.ts';
import { fileBytes, fileSize } from '../tar/sparse.ts';
import type { FoundEntry, LayerFinding, LayerView, LookupOptions } from './find.ts';
import { PathSearch } from './find-search.ts';
import { defaultMergeLimits } from './limits.ts';
import { byteString, layerPath, textOfPath } from './path.ts';
import type { LayerPath } from './path.ts';
import { LayerReader } from './scan.ts';
import { SeekingReader } from './find-seeking.ts';

/** Hardlinks to hardlinks are followed so far inside one layer; each costs one more reading of its head. */
const mostLinks = 40;

/**
 * Looks for paths in a layer that is a plain tar, by reading it from its start up to what is looked for; `open` is called for each
 * search. Of several entries of one path the first is taken.
 */
export function tarLayerView(open: () => ByteStream): LayerView {
  return new TarLayer(async () => new LayerReader(open(), defaultMergeLimits));
}

/** The same for a tar at rest: only headers are read, and the body of what is found. */
export function seekableTarView(open: () => Promise<ByteSource>, signal?: AbortSignal): LayerView {
  return new TarLayer(async () => new SeekingReader(await open(), defaultMergeLimits.headerBytes, signal));
}

/** The entries of a layer, one after the other; their bytes are good until the next one is asked for. */
export type EntryReader = Pick<LayerReader, 'next' | 'run' | 'close'>;

/** The same for whatever else knows the entries of a layer, in its order; `open` is called for each search. */
export function entriesView(open: () => Promise<EntryReader>): LayerView {
  return new TarLayer(open);
}

class TarLayer implements LayerView {
  readonly #open: () => Promise<EntryReader>;
  #reader: EntryReader | undefined;

  constructor(open: () => Promise<EntryReader>) {
    this.#open = open;
  }

  async lookup(path: LayerPath, options: LookupOptions = {}): Promise<LayerFinding> {
    const search = new PathSearch(path, options);
    const last = await this.#search((entry) => search.take(entry));
    if (last === undefined || !search.isFound) {
      await this.close();
      return search.finding();
    }
    return { ...search.finding(), entry: await this.#withoutLinks(last) };
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }

  /** The first entry that is wanted; the reader waits there for its body to be read. */
  async #search(wanted: (entry: TarEntry) => boolean): Promise<TarEntry | undefined> {
    await this.close();
    const reader = await this.#open();
    this.#reader = reader;
    let found = false;
    try {
      let entry = await reader.next();
      while (entry !== undefined && !wanted(entry)) entry = await reader.next();
      found = entry !== undefined;
      return entry;
    } finally {
      if (!found) await this.close();
    }
  }

  /** A hardlink's target comes before it; where it does not, it is in a layer below. */
  async #withoutLinks(found: TarEntry): Promise<FoundEntry> {
    // The bytes of an entry are good only until another is read.
    let entry = found.type === 'hardlink' ? { ...found, pathBytes: found.pathBytes.slice(), linknameBytes: found.linknameBytes.slice() } : found;
    for (let count = 0; entry.type === 'hardlink'; count++) {
      const target = layerPath(entry.linknameBytes);
      if (count === mostLinks) throw tooManyLinks(target);
      const { offset } = entry;
      const before: TarEntry | undefined = await this.#search((other) => other.offset >= offset || (layerPath(other.pathBytes) === target && other.type !== 'directory'));
      if (before === undefined || before.offset >= offset) {
        await this.close();
        break;
      }
      entry = before;
    }
    return this.#entryOf(entry);
  }

  #entryOf(entry: TarEntry): FoundEntry {
    const { type, mode, uid, gid, mtime, linknameBytes } = entry;
    const linkname = type === 'hardlink' ? layerPath(linknameBytes) : byteString(linknameBytes);
    const read = () => contents(entry, this.#reader);
    return { path: layerPath(entry.pathBytes), type, size: type === 'file' ? fileSize(entry) : 0, mode, uid, gid, mtime, linkname, read };
  }
}

async function* contents(entry: TarEntry, reader: EntryReader | undefined): ByteStream {
  if (reader === undefined) return;
  try {
    yield* fileBytes(entry, bodyOf(reader));
  } finally {
    await reader.close();
  }
}

/** The body of the entry that a reader has come to. */
export async function* bodyOf(reader: EntryReader): ByteStream {
  for (let run = await reader.run(); run !== undefined; run = await reader.run()) yield run;
}

function tooManyLinks(target: LayerPath): OciTarError {
  const subject = textOfPath(target);
  return new OciTarError('LIMIT_EXCEEDED', `${JSON.stringify(subject)} is behind more than ${mostLinks} hardlinks to hardlinks in one layer`, { limit: mostLinks, subject });
}
