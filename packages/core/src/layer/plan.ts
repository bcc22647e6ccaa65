import { AttributeTable } from './attributes.ts';
import { BaseTree } from './base-tree.ts';
import type { BaseLink } from './hard-links.ts';
import { openLayer } from './input.ts';
import type { LayerInput } from './input.ts';
import type { MergeLimits } from './limits.ts';
import { own, vis } from './merge-columns.ts';
import { MergeState } from './merge-state.ts';
import type { MergeRules } from './merge-state.ts';

export interface MergeOptions extends MergeRules {
  readonly limits?: Partial<MergeLimits>;
  readonly signal?: AbortSignal;
  /**
   * Layers below those that are merged, the topmost first. Then the merge is a layer to be put on them: it has whiteouts of what it hides
   * of them, and no entry of a directory that is theirs. Only their headers are read, once.
   */
  readonly base?: readonly LayerInput[];
}

/** What of each layer is seen, found by its headers alone. */
export interface MergePlan {
  readonly state: MergeState;
  /** Attributes of directories, and with a base of links, which are written before their entries are come across again. */
  readonly rows: AttributeTable;
  readonly baseLinks: readonly BaseLink[];
  readonly base?: BaseTree;
  /** Per layer and position of the entry: the id of the path that it is seen as, or of the directory that it is; -1 for what is not seen. Up to the last that is. */
  readonly seen: readonly Int32Array[];
}

/** The first pass: reads every layer, the topmost first, to its end, so that whatever is promised of it is verified. */
export async function planMerge(layers: readonly LayerInput[], limits: MergeLimits, options: MergeOptions): Promise<MergePlan> {
  const base = options.base === undefined ? undefined : await BaseTree.read(options.base, limits, options, options.signal);
  const state = new MergeState(limits, options);
  const rows = new AttributeTable((bytes) => state.paths.hold(bytes));
  const seen: Int32Array[] = [];
  for (const layer of layers) {
    const reader = openLayer(layer, limits, options.signal);
    try {
      state.beginLayer();
      for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
        const id = state.add(entry);
        const isKept = entry.type === 'directory' || (base !== undefined && entry.type === 'hardlink');
        if (isKept && id >= 0 && state.isVisible(id)) state.columns.row[id] = rows.add(entry);
      }
    } finally {
      await reader.close();
    }
    const moved: { readonly ordinal: number; readonly link: number }[] = [];
    const entries = state.endLayer({ file: (ordinal, link) => void moved.push({ ordinal, link }), link: () => {} });
    hideLosers(entries, state);
    for (const { ordinal, link } of moved) entries[ordinal] = link;
    seen.push(entries.slice(0, entries.findLastIndex((id) => id >= 0) + 1));
  }
  const baseLinks = state.end(base);
  return { state, rows, baseLinks, ...(base === undefined ? {} : { base }), seen };
}

function hideLosers(entries: Int32Array, { columns, layer }: MergeState): void {
  for (let ordinal = 0; ordinal < entries.length; ordinal++) {
    const id = entries[ordinal] ?? -1;
    // A directory is written at its first entry, whichever layer has its attributes.
    if (id < 0 || columns.vis[id] === vis.dir) continue;
    const wins = columns.vis[id] === vis.nondir && columns.winner[id] === layer && columns.ordinal[id] === ordinal && ((columns.own[id] ?? 0) & own.metadata) === 0;
    if (!wins) entries[ordinal] = -1;
  }
}
