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

/** Which of several entries of one path counts; the image-spec has no such layers. */
export interface ViewOptions {
  /** The last one, as when they are unpacked in their order: the layer is read to its end, then up to what is looked for. By default the first one. */
  readonly last?: boolean;
}

/**
 * Looks for paths in a layer that is a plain tar, by reading it from its start up to what is looked for; `open` is called for each
 * search.
 */
export function tarLayerView(open: () => ByteStream, options: ViewOptions = {}): LayerView {
  return new TarLayer(async () => new LayerReader(open(), defaultMergeLimits), options);
}

/** The same for a tar at rest: only headers are read, and the body of what is found. */
export function seekableTarView(open: () => Promise<ByteSource>, options: ViewOptions & { readonly signal?: AbortSignal | undefined } = {}): LayerView {
  return new TarLayer(async () => new SeekingReader(await open(), defaultMergeLimits.headerBytes, options.signal), options);
}

/** The entries of a layer, one after the other; their bytes are good until the next one is asked for. */
export type EntryReader = Pick<LayerReader, 'next' | 'run' | 'close'>;

/** The same for whatever else knows the entries of a layer, in its order; `open` is called for each search. */
export function entriesView(open: () => Promise<EntryReader>, options: ViewOptions = {}): LayerView {
  return new TarLayer(open, options);
}

class TarLayer implements LayerView {
  readonly #open: () => Promise<EntryReader>;
  readonly #last: boolean;
  #reader: EntryReader | undefined;

  constructor(open: () => Promise<EntryReader>, { last = false }: ViewOptions) {
    this.#open = open;
    this.#last = last;
  }

  async lookup(path: LayerPath, options: LookupOptions = {}): Promise<LayerFinding> {
    const search = new PathSearch(path, { ...options, last: this.#last });
    const stopped = await this.#search((entry) => search.take(entry));
    if (search.foundAt === undefined) {
      await this.close();
      return search.finding();
    }
    return { ...search.finding(), entry: await this.#withoutLinks(stopped ?? (await this.#at(search.foundAt))) };
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

  /** The entry at an offset at which one was found before. */
  async #at(offset: number): Promise<TarEntry> {
    const entry = await this.#search((other) => other.offset >= offset);
    if (entry?.offset === offset) return entry;
    throw new OciTarError('INVALID_TAR', 'the layer has changed while it was read', { side: 'source', offset });
  }

  /** A hardlink's target comes before it; where it does not, it is in a layer below. */
  async #withoutLinks(found: TarEntry): Promise<FoundEntry> {
    // The bytes of an entry are good only until another is read.
    let entry = found.type === 'hardlink' ? { ...found, pathBytes: found.pathBytes.slice(), linknameBytes: found.linknameBytes.slice() } : found;
    for (let count = 0; entry.type === 'hardlink'; count++) {
      const target = layerPath(entry.linknameBytes);
      if (count === mostLinks) throw tooManyLinks(target);
      // A file that the link is in has become a directory for it.
      const before = layerPath(entry.pathBytes).startsWith(`${target}/`) ? undefined : await this.#before(entry.offset, target);
      if (before === undefined) {
        await this.close();
        break;
      }
      entry = before;
    }
    return this.#entryOf(entry);
  }

  /** What is no directory at a path, from entries before an offset only. */
  async #before(offset: number, path: LayerPath): Promise<TarEntry | undefined> {
    const search = new PathSearch(path, { asTarget: true, last: this.#last });
    const stopped = await this.#search((other) => other.offset >= offset || search.take(other));
    if (search.foundAt === undefined || search.isDirectory) return undefined;
    return stopped?.offset === search.foundAt ? stopped : this.#at(search.foundAt);
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
