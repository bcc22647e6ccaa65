import { ByteReader } from '../bytes/reader.ts';
import type { ByteStream } from '../bytes/types.ts';
import { blockSize, isZero, paddingOf } from '../tar/block.ts';
import type { TarEntry } from '../tar/entry.ts';
import { GroupReader } from '../tar/group.ts';
import type { Group } from '../tar/group.ts';
import { truncatedEntry } from '../tar/tokens.ts';
import { Turns } from '../runtime/turns.ts';

/** Options of all that reads layers. */
export interface ScanOptions {
  /** Bytes that one entry's headers may take together. */
  readonly headerBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Entries that are passed over as if they were not there. */
  readonly isHidden?: ((entry: TarEntry) => boolean | Promise<boolean>) | undefined;
}

/**
 * The headers of a layer, one after the other, and its bodies for whoever wants them. A layer may lack the end marker (its digest
 * tells whether it is whole); an empty one, and one of zeros only, has no entries. INVALID_TAR for what is no tar.
 */
export class LayerReader {
  readonly #reader: ByteReader;
  readonly #groups: GroupReader;
  readonly #signal: AbortSignal | undefined;
  readonly #isHidden: ScanOptions['isHidden'];
  readonly #turns = new Turns();
  #entry: TarEntry | undefined;
  /** All header blocks of the entry: a view, like its bytes. */
  header: Uint8Array = new Uint8Array(0);
  /** Bytes of the entry's body that were not read yet. */
  left = 0;

  /** `stream` is the plain tar. */
  constructor(stream: ByteStream, options: ScanOptions) {
    this.#reader = new ByteReader(stream);
    this.#groups = new GroupReader(options.headerBytes);
    this.#signal = options.signal;
    this.#isHidden = options.isHidden;
  }

  /** The next entry, whose bytes are views that are good until the next call; undefined at the end of the layer, which is then read out. */
  async next(): Promise<TarEntry | undefined> {
    await this.skipBody();
    const turn = this.#turns.rest();
    if (turn !== undefined) await turn;
    this.#signal?.throwIfAborted();
    for (;;) {
      const reader = this.#reader;
      const group = await this.#groups.read(reader.offset, (n) => reader.peek(n));
      if (group === undefined || group.kind === 'end' || group.kind === 'invalid') return this.#end(group);
      if (group.kind === 'global') {
        await reader.skip(group.length);
        continue;
      }
      const header = reader.peek(group.length);
      this.header = header instanceof Uint8Array ? header : await header;
      await reader.skip(group.length);
      this.#entry = group.entry;
      this.left = group.entry.size;
      const hidden = this.#isHidden?.(group.entry);
      if ((hidden instanceof Promise ? await hidden : hidden) !== true) return group.entry;
      await this.skipBody();
    }
  }

  /** The next run of the entry's body; undefined at its end. */
  async run(): Promise<Uint8Array | undefined> {
    const entry = this.#entry;
    if (entry === undefined || this.left === 0) return undefined;
    const run = await this.#reader.run(this.left);
    if (run === undefined) throw truncatedEntry(entry, this.#reader.offset);
    this.left -= run.length;
    return run;
  }

  /** Reads over what is left of the body, and the padding after it. */
  async skipBody(): Promise<void> {
    const entry = this.#entry;
    if (entry === undefined) return;
    const size = this.left + paddingOf(entry.size);
    this.left = 0;
    if (size > 0 && (await this.#reader.skip(size)) < size) throw truncatedEntry(entry, this.#reader.offset);
    this.#entry = undefined;
  }

  /** Reads to the end of the input, so that all of it is verified, whatever it is. */
  async drain(): Promise<void> {
    this.left = 0;
    this.#entry = undefined;
    await this.#rest();
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  /** To the end of the input, so that all of it is digested. */
  async #end(group: Group | undefined): Promise<undefined> {
    if (group?.kind === 'invalid') {
      const rest = await this.#reader.peek(2 * blockSize);
      if (rest.length === 2 * blockSize || !isZero(rest)) {
        // Where the layer is damaged, its digest says so in the end, and that says more.
        await this.#rest();
        throw group.error;
      }
    }
    await this.#rest();
    return undefined;
  }

  async #rest(): Promise<void> {
    for (;;) {
      const run = await this.#reader.run(Number.MAX_SAFE_INTEGER);
      if (run === undefined) return;
      const turn = this.#turns.rest();
      if (turn !== undefined) await turn;
    }
  }
}
