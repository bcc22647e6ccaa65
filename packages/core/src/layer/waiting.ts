import { createSpool } from '#runtime/spool';
import { bytesSource, join } from '../bytes/source.ts';
import type { ByteSource } from '../bytes/types.ts';
import type { Spool } from '../runtime/spool.ts';
import { blockSize, paddingOf } from '../tar/block.ts';
import { overLimit } from './limits.ts';
import type { MergeLimits } from './limits.ts';
import { outputHeader } from './output-header.ts';
import type { LayerPath } from './path.ts';
import { LayerReader } from './scan.ts';
import type { Winner } from './winner.ts';

/** Most layers hide little: so many bytes wait in memory before a file is made for them. */
const inMemory = 256 * 1024;

/** Entries of one layer that are not seen under their own names: headers and bodies as a tar, by their positions in the layer. */
export class Waiting {
  readonly #limits: MergeLimits;
  readonly #offsets = new Map<number, number>();
  /** What is not in the spool yet. */
  #held: Uint8Array[] = [];
  #heldSize = 0;
  #spool: Spool | undefined;
  #source: ByteSource | undefined;
  #size = 0;

  constructor(limits: MergeLimits) {
    this.#limits = limits;
  }

  /** LIMIT_EXCEEDED where it is more than may wait. */
  async add(ordinal: number, winner: Extract<Winner, { kind: 'entry' }>): Promise<void> {
    this.#offsets.set(ordinal, this.#size);
    await this.#write(await outputHeader(winner));
    if (winner.entry.size === 0) return;
    for (let run = await winner.body.run(); run !== undefined; run = await winner.body.run()) await this.#write(run);
    await this.#write(new Uint8Array(paddingOf(winner.entry.size)));
  }

  /** An entry that waits, under the name that it is seen under; nothing where none does. Once this is called no more may wait. */
  async *entry(ordinal: number, path: LayerPath, layer: number): AsyncGenerator<Winner, void, void> {
    const offset = this.#offsets.get(ordinal);
    if (offset === undefined) return;
    this.#source ??= (await this.#spooled()) ?? bytesSource(join(this.#held, this.#heldSize));
    const reader = new LayerReader(this.#source.read(offset, this.#size), { headerBytes: 4 * this.#limits.headerBytes });
    try {
      const entry = await reader.next();
      if (entry !== undefined) yield { kind: 'entry', path, entry, header: reader.header, body: reader, layer };
    } finally {
      await reader.close();
    }
  }

  async dispose(): Promise<void> {
    await this.#spool?.dispose();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#size += bytes.length;
    if (this.#size > this.#limits.spoolBytes) throw overLimit('more bytes that have to wait than may', this.#limits.spoolBytes);
    // A copy: a short view would keep the whole run that it is of.
    this.#held.push(bytes.length < blockSize * 8 ? bytes.slice() : bytes);
    this.#heldSize += bytes.length;
    if (this.#heldSize <= inMemory) return;
    this.#spool ??= await createSpool();
    await this.#flush(this.#spool);
  }

  async #spooled(): Promise<ByteSource | undefined> {
    if (this.#spool === undefined) return undefined;
    await this.#flush(this.#spool);
    return this.#spool.source();
  }

  async #flush(spool: Spool): Promise<void> {
    if (this.#heldSize > 0) await spool.write(join(this.#held, this.#heldSize));
    this.#held = [];
    this.#heldSize = 0;
  }
}
