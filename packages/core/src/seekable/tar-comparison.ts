import { OciTarError } from '../errors.ts';
import type { TarToken } from '../tar/tokens.ts';
import type { SeekableEntry } from './entry.ts';
import { difference } from './entry-difference.ts';
import { invalidToc, shown } from './failures.ts';
import { FileComparison } from './file-comparison.ts';
import type { SeekableLayer } from './open.ts';
import { TarSplitComparison } from './tar-split-comparison.ts';
import type { TocEntry } from './toc.ts';
import { tocTarName } from './toc.ts';
import type { VerifiedContent } from './verify.ts';

/** Where in the tar things are that the TOC names by their place in the blob. */
export interface Places {
  /** By the position in the blob where a member starts. */
  readonly starts: Map<number, number>;
  /** Where the members end; undefined before that is known. */
  payloadEnd: number | undefined;
}

/** What may follow the end of an archive; real ones have a few KiB, and tape records of 1 MiB at the most. */
const trailerLimit = 64 * 1024 * 1024;

/** An entry of a TOC with the further chunks after it. */
interface Expected {
  readonly toc: TocEntry;
  readonly node: SeekableEntry | undefined;
  readonly chunkTypes: readonly (string | undefined)[];
}

/** Compares a tar, token by token, with a TOC. */
export class TarComparison {
  readonly #places: Places;
  readonly #expected: Iterator<Expected, void>;
  readonly #nodes = new Map<TocEntry, SeekableEntry>();
  readonly #split: TarSplitComparison | undefined;
  /** With all that a header says, as where there is tar-split; else what all TOCs have. */
  readonly #exact: boolean;
  readonly #named: boolean;
  #file: FileComparison | undefined;
  #trailer = 0;
  readonly #found = { files: 0, chunks: 0, size: 0 };

  /** INVALID_TOC where the TOC wants a tar-split part and there is none. */
  constructor(layer: SeekableLayer, places: Places) {
    const { toc, parts } = layer;
    this.#places = places;
    this.#exact = toc.tarSplitDigest !== undefined;
    this.#named = toc.entries.some(({ userName, groupName }) => userName !== undefined || groupName !== undefined);
    for (const entry of layer.entries()) if (entry.toc !== undefined) this.#nodes.set(entry.toc, entry);
    this.#expected = this.#entries(toc.entries);
    if (toc.tarSplitDigest === undefined) return;
    if (parts.tarSplit === undefined) throw invalidToc('wants a tar-split part, which the footer does not name');
    this.#split = new TarSplitComparison(layer.blob, parts.tarSplit, toc.tarSplitDigest);
  }

  async take(token: TarToken): Promise<void> {
    if (token.kind === 'data') {
      await this.#split?.content(token.bytes);
      await this.#file?.take(token.bytes, token.offset);
      return;
    }
    await this.#endFile();
    await this.#split?.raw(token.bytes, token.offset);
    if (token.kind === 'header') this.#header(token);
    // What comes after the members is the TOC's, and limited with it.
    if (token.kind === 'trailer' && token.offset < (this.#places.payloadEnd ?? Infinity)) this.#trailer += token.bytes.length;
    if (this.#trailer > trailerLimit) {
      throw new OciTarError('LIMIT_EXCEEDED', `the tar has more than ${trailerLimit} bytes after its end`, { limit: trailerLimit, offset: token.offset });
    }
  }

  async finish(): Promise<VerifiedContent> {
    await this.#endFile();
    await this.#split?.finish();
    const missing = this.#expected.next();
    if (missing.done !== true) throw invalidToc('is not in the tar', missing.value.toc.name);
    return this.#found;
  }

  dispose(): void {
    this.#file?.dispose();
    this.#split?.dispose();
  }

  #header(token: Extract<TarToken, { readonly kind: 'header' }>): void {
    const { entry, offset } = token;
    const { payloadEnd } = this.#places;
    // To readers that do not know of it, the TOC is a file of the layer.
    if (payloadEnd !== undefined && offset >= payloadEnd && entry.path === tocTarName && entry.type === 'file') return;
    const next = this.#expected.next();
    if (next.done === true) throw invalidToc(`does not have ${shown(entry.path)}, which is in the tar`, undefined, { subject: entry.path, offset });
    const { toc, node, chunkTypes } = next.value;
    const what = difference(token, toc, node, { exact: this.#exact, named: this.#named });
    if (what !== undefined) throw invalidToc(`does not say what the tar says: ${what}`, toc.name, { offset });
    if (toc.type !== 'reg' || node === undefined) return;
    this.#found.files += entry.size > 0 ? 1 : 0;
    this.#found.chunks += node.chunks.length;
    this.#found.size += entry.size;
    this.#file = new FileComparison(node, chunkTypes, this.#places.starts);
    if (entry.size > 0) this.#split?.file(entry.pathBytes, entry.size, offset);
  }

  async #endFile(): Promise<void> {
    await this.#file?.finish();
    this.#file = undefined;
  }

  *#entries(entries: readonly TocEntry[]): Generator<Expected, void, void> {
    for (let at = 0; at < entries.length; ) {
      const toc = entries[at];
      if (toc === undefined) return;
      let end = at + 1;
      while (entries[end]?.type === 'chunk') end += 1;
      yield { toc, node: this.#nodes.get(toc), chunkTypes: entries.slice(at, end).map(({ chunkType }) => chunkType) };
      at = end;
    }
  }
}
