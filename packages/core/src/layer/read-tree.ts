import { AttributeTable } from './attributes.ts';
import type { EntryReader } from './find-in-tar.ts';
import { openLayer } from './input.ts';
import type { LayerInput, ReadableLayer } from './input.ts';
import { mergeLimits } from './limits.ts';
import type { MergeLimits } from './limits.ts';
import { MergeState } from './merge-state.ts';
import type { MergeRules } from './merge-state.ts';
import { TableTree } from './table-tree.ts';
import type { MergedTree } from './tree.ts';

/** A layer whose entries may be known without its tar. */
export interface ListedLayer extends ReadableLayer {
  /** Called once; undefined where the tar has to be read after all. */
  entries(): Promise<EntryReader | undefined>;
}

export interface ReadTreeOptions extends MergeRules {
  readonly limits?: Partial<MergeLimits>;
  readonly signal?: AbortSignal;
  /** Called after each layer with the number of layers read so far. */
  readonly onLayer?: (done: number) => void;
}

/**
 * The merged tree of some layers, the topmost first, from their headers; it holds some 200 bytes a path. Of layer 0, the topmost,
 * `layer` of a node is 0. INVALID_TAR for what is no tar and for what `MergeRules` forbid, UNSAFE_PATH for names with `..` in them
 * and for whiteouts of nothing, LIMIT_EXCEEDED.
 */
export async function readTree(layers: readonly (LayerInput | ListedLayer)[], options: ReadTreeOptions = {}): Promise<MergedTree> {
  const limits = mergeLimits(options.limits);
  const state = new MergeState(limits, options);
  const rows = new AttributeTable((bytes) => state.paths.hold(bytes));
  const { columns } = state;
  for (const [position, layer] of layers.entries()) {
    // Each entry gets a row, also one that is not seen: a link may be the same file.
    const first = rows.length;
    const listed = 'entries' in layer ? await layer.entries() : undefined;
    const reader = listed ?? openLayer(layer, limits, options.signal);
    try {
      state.beginLayer();
      for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
        const id = state.add(entry);
        const row = rows.add(entry);
        if (id >= 0 && state.isVisible(id)) columns.row[id] = row;
      }
    } finally {
      await reader.close();
    }
    state.endLayer({
      file: (ordinal, link) => void (columns.row[link] = first + ordinal),
      link: () => {},
    });
    options.onLayer?.(position + 1);
  }
  state.end();
  return new TableTree(state, rows);
}
