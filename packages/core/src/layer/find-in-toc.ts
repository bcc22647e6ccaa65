import type { ByteStream } from '../bytes/types.ts';
import { Turns } from '../runtime/turns.ts';
import type { SeekableLayer } from '../seekable/open.ts';
import type { TocEntry, TocEntryType } from '../seekable/toc.ts';
import { typeflags } from '../tar/encode.ts';
import type { TarEntry, TarType } from '../tar/entry.ts';
import { noRecords } from '../tar/pax.ts';
import type { PaxRecords } from '../tar/pax.ts';
import { encodeText } from '../tar/text.ts';
import { entriesView } from './find-in-tar.ts';
import type { EntryReader } from './find-in-tar.ts';
import type { LayerView } from './find.ts';

/** Looks for paths in a layer by its TOC: of the layer itself nothing is read but the chunks of the file that is found. */
export function tocLayerView(open: () => Promise<SeekableLayer>, signal?: AbortSignal): LayerView {
  return entriesView(async () => tocEntries(await open(), signal), { last: true });
}

/** The entries of a layer as its TOC has them, in the order of the tar; their content is verified chunk by chunk. */
export function tocEntries(layer: SeekableLayer, signal?: AbortSignal): EntryReader {
  return new TocReader(layer, signal);
}

/**
 * Whether the TOC has every name as the tar does. One that is not UTF-8 cannot be in it: its writer has put U+FFFD there, so that the
 * name is another one, and perhaps that of another file.
 */
export function hasExactNames({ toc }: SeekableLayer): boolean {
  return !toc.entries.some(({ name, linkName }) => name.includes('\ufffd') || linkName?.includes('\ufffd') === true);
}

/** What a tar calls the types of a TOC. */
export const tocTarTypes: Readonly<Record<Exclude<TocEntryType, 'chunk'>, Exclude<TarType, 'other'>>> = {
  reg: 'file',
  hardlink: 'hardlink',
  symlink: 'symlink',
  char: 'character-device',
  block: 'block-device',
  dir: 'directory',
  fifo: 'fifo',
};

class TocReader implements EntryReader {
  readonly #layer: SeekableLayer;
  readonly #signal: AbortSignal | undefined;
  readonly #turns = new Turns();
  #next = 0;
  #file: string | undefined;
  #body: AsyncIterator<Uint8Array> | undefined;

  constructor(layer: SeekableLayer, signal: AbortSignal | undefined) {
    this.#layer = layer;
    this.#signal = signal;
  }

  async next(): Promise<TarEntry | undefined> {
    await this.close();
    await this.#turns.rest();
    this.#signal?.throwIfAborted();
    const { entries } = this.#layer.toc;
    for (; this.#next < entries.length; this.#next++) {
      const toc = entries[this.#next];
      if (toc === undefined || toc.type === 'chunk') continue;
      const entry = this.#entryOf(toc, tocTarTypes[toc.type], this.#next);
      this.#next += 1;
      if (entry.type === 'file') this.#file = toc.name;
      return entry;
    }
    return undefined;
  }

  /** The next run of the file's content; undefined at its end. */
  async run(): Promise<Uint8Array | undefined> {
    if (this.#file === undefined) return undefined;
    this.#body ??= this.#content(this.#file)[Symbol.asyncIterator]();
    const step = await this.#body.next();
    return step.done === true ? undefined : step.value;
  }

  async close(): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    this.#file = undefined;
    await body?.return?.();
  }

  #content(path: string): ByteStream {
    return this.#layer.openFile(path, this.#signal === undefined ? {} : { signal: this.#signal }).read();
  }

  /** A TOC says nothing of where headers are; the number of the entry tells which is before which. */
  #entryOf(toc: TocEntry, type: Exclude<TarType, 'other'>, offset: number): TarEntry {
    const { name, linkName = '', mode = 0, uid = 0, gid = 0, devMajor = 0, devMinor = 0 } = toc;
    const { userName = '', groupName = '' } = this.#layer.entry(name) ?? {};
    return {
      path: name,
      pathBytes: encodeText(name),
      type,
      typeflag: typeflags[type],
      size: type === 'file' ? (toc.size ?? 0) : 0,
      mode: mode & 0o7777,
      uid,
      gid,
      mtime: secondsOf(toc.modtime),
      linkname: linkName,
      linknameBytes: encodeText(linkName),
      uname: userName,
      gname: groupName,
      devmajor: devMajor,
      devminor: devMinor,
      pax: xattrRecords(toc),
      globals: noRecords,
      offset,
      dataOffset: offset,
    };
  }
}

/** Seconds since 1970; 0 where there is no time, or none that can be read. */
function secondsOf(modtime: string | undefined): number {
  const time = modtime === undefined || modtime === '' ? 0 : Date.parse(modtime) / 1000;
  return Number.isFinite(time) ? time : 0;
}

function xattrRecords({ xattrs }: TocEntry): PaxRecords {
  if (xattrs === undefined || xattrs.size === 0) return noRecords;
  return new Map([...xattrs].map(([name, value]) => [`SCHILY.xattr.${name}`, value]));
}
