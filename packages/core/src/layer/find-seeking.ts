import type { ByteSource } from '../bytes/types.ts';
import { Turns } from '../runtime/turns.ts';
import { blockSize, isZero, paddingOf } from '../tar/block.ts';
import type { TarEntry } from '../tar/entry.ts';
import { GroupReader } from '../tar/group.ts';
import { truncatedEntry } from '../tar/tokens.ts';
import { SourceWindow } from '../tar/window.ts';

/** The entries of a layer at rest, one after the other, without reading bodies that nobody wants. Otherwise as `LayerReader`. */
export class SeekingReader {
  readonly #source: ByteSource;
  readonly #window: SourceWindow;
  readonly #groups: GroupReader;
  readonly #signal: AbortSignal | undefined;
  readonly #turns = new Turns();
  #offset = 0;
  #entry: TarEntry | undefined;
  #body: AsyncIterator<Uint8Array> | undefined;

  constructor(source: ByteSource, headerBytes: number, signal?: AbortSignal) {
    this.#source = source;
    this.#window = new SourceWindow(source);
    this.#groups = new GroupReader(headerBytes);
    this.#signal = signal;
  }

  async next(): Promise<TarEntry | undefined> {
    await this.close();
    await this.#turns.rest();
    this.#signal?.throwIfAborted();
    for (;;) {
      const at = this.#offset;
      const group = await this.#groups.read(at, (n) => this.#window.at(at, n));
      if (group === undefined || group.kind === 'end') return undefined;
      if (group.kind === 'invalid') {
        const rest = await this.#window.at(at, 2 * blockSize);
        // Zeros to the end, though not whole blocks of them, are an end as well.
        if (rest.length < 2 * blockSize && isZero(rest)) return undefined;
        throw group.error;
      }
      this.#offset += group.length;
      if (group.kind === 'global') continue;
      const { entry } = group;
      this.#offset += entry.size + paddingOf(entry.size);
      if (this.#offset > this.#source.size) throw truncatedEntry(entry, this.#source.size);
      this.#entry = entry;
      return entry;
    }
  }

  /** The next run of the entry's body; undefined at its end. */
  async run(): Promise<Uint8Array | undefined> {
    this.#signal?.throwIfAborted();
    const entry = this.#entry;
    if (entry === undefined || entry.size === 0) return undefined;
    this.#body ??= this.#source.read(entry.dataOffset, entry.dataOffset + entry.size)[Symbol.asyncIterator]();
    const step = await this.#body.next();
    return step.done === true ? undefined : step.value;
  }

  async close(): Promise<void> {
    const body = this.#body;
    this.#body = undefined;
    this.#entry = undefined;
    await body?.return?.();
  }
}
