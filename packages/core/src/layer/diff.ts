import { Verifier } from '../bytes/digest.ts';
import type { ByteStream } from '../bytes/types.ts';
import type { Digest } from '../spec/digest.ts';
import type { TarEntry } from '../tar/entry.ts';
import { fileBytes, fileSize } from '../tar/sparse.ts';
import { AttributeTable } from './attributes.ts';
import { compareTrees } from './diff-trees.ts';
import type { ComparedTree, DiffOptions, FileChange } from './diff-trees.ts';
import { bodyOf } from './find-in-tar.ts';
import { openLayer } from './input.ts';
import type { LayerInput } from './input.ts';
import { mergeLimits } from './limits.ts';
import type { MergeLimits } from './limits.ts';
import { MergeState } from './merge-state.ts';
import type { MergeRules } from './merge-state.ts';
import type { LayerPath } from './path.ts';
import { TableTree } from './table-tree.ts';

/** What two trees are made of, each with its topmost layer first. */
export interface LayersToCompare {
  readonly before: readonly LayerInput[];
  readonly after: readonly LayerInput[];
  /** What is below all of these in both; read once. */
  readonly shared: readonly LayerInput[];
}

export interface DiffLayersOptions extends DiffOptions, MergeRules {
  readonly limits?: Partial<MergeLimits>;
  readonly signal?: AbortSignal;
}

/**
 * The files in which two trees of layers differ, sorted by the bytes of their paths. Every layer is read once, and none where there is
 * nothing but shared ones. In the nodes layers are numbered from the topmost, which is 0. Errors as in `readTree`.
 */
export async function diffLayers({ before, after, shared }: LayersToCompare, options: DiffLayersOptions = {}): Promise<readonly FileChange[]> {
  if (before.length + after.length === 0) return [];
  const reading = new Reading(mergeLimits(options.limits), options);
  for (const layer of before) await reading.layer(layer, reading.before);
  for (const layer of after) await reading.layer(layer, reading.after);
  reading.beginShared();
  for (const layer of shared) await reading.layer(layer, reading.before, reading.after);
  return compareTrees(reading.before.finish(), reading.after.finish(), options);
}

class Reading {
  readonly before: Side;
  readonly after: Side;
  readonly #limits: MergeLimits;
  readonly #signal: AbortSignal | undefined;
  /** Sizes of files in layers that are not shared: what is shared may be equal to one of these. */
  readonly #sizes = new Set<number>();
  /** Whether a hardlink in such a layer may make two files of shared layers meet under one path. */
  #hasLinks = false;
  #isShared = false;

  constructor(limits: MergeLimits, { signal, ...rules }: DiffLayersOptions) {
    this.#limits = limits;
    this.#signal = signal;
    this.before = new Side(limits, rules);
    this.after = new Side(limits, rules);
  }

  beginShared(): void {
    this.#isShared = true;
    this.before.beginShared();
    this.after.beginShared();
  }

  async layer(layer: LayerInput, ...sides: readonly Side[]): Promise<void> {
    const reader = openLayer(layer, this.#limits, this.#signal);
    try {
      for (const side of sides) side.beginLayer();
      for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
        for (const side of sides) side.add(entry);
        if (!this.#isWanted(entry)) continue;
        const digest = await digestOf(fileBytes(entry, bodyOf(reader)), fileSize(entry));
        for (const side of sides) side.digested(digest);
      }
      for (const side of sides) side.endLayer();
    } finally {
      await reader.close();
    }
  }

  #isWanted(entry: TarEntry): boolean {
    if (entry.type === 'hardlink' && !this.#isShared) this.#hasLinks = true;
    const size = entry.type === 'file' ? fileSize(entry) : 0;
    if (size === 0 || this.#isShared) return size > 0 && (this.#hasLinks || this.#sizes.has(size));
    this.#sizes.add(size);
    return true;
  }
}

async function digestOf(bytes: ByteStream, size: number): Promise<Digest> {
  const verifier = new Verifier({ size });
  try {
    for await (const run of bytes) await verifier.update(run);
    return (await verifier.finish()).digest;
  } finally {
    verifier.dispose();
  }
}

/** One of the two trees, while it is put together. */
class Side {
  readonly #state: MergeState;
  readonly #rows: AttributeTable;
  /** By the row of a file's entry. */
  readonly #digests = new Map<number, Digest>();
  #sharedFrom = Infinity;
  #first = 0;

  constructor(limits: MergeLimits, rules: MergeRules) {
    const state = new MergeState(limits, rules);
    this.#state = state;
    this.#rows = new AttributeTable((bytes) => state.paths.hold(bytes));
  }

  /** From here on both sides are given the same entries. */
  beginShared(): void {
    this.#sharedFrom = this.#rows.length;
  }

  beginLayer(): void {
    this.#first = this.#rows.length;
    this.#state.beginLayer();
  }

  add(entry: TarEntry): void {
    const id = this.#state.add(entry);
    const row = this.#rows.add(entry);
    if (id >= 0 && this.#state.isVisible(id)) this.#state.columns.row[id] = row;
  }

  /** Of the file that was added last. */
  digested(digest: Digest): void {
    this.#digests.set(this.#rows.length - 1, digest);
  }

  endLayer(): void {
    const { columns } = this.#state;
    const first = this.#first;
    this.#state.endLayer({ file: (ordinal, link) => void (columns.row[link] = first + ordinal), link: () => {} });
  }

  finish(): ComparedTree {
    this.#state.end();
    return { tree: new TableTree(this.#state, this.#rows), contents: (path) => this.#contents(path) };
  }

  /** A file of a shared layer is itself on both sides, where it is not digested either. */
  #contents(path: LayerPath): { readonly digest?: Digest; readonly shared?: number } {
    const id = this.#state.paths.find(path);
    const row = (id === undefined ? undefined : this.#state.columns.row[id]) ?? -1;
    const digest = this.#digests.get(row);
    return { ...(digest === undefined ? {} : { digest }), ...(row < this.#sharedFrom ? {} : { shared: row - this.#sharedFrom }) };
  }
}
