import { openLayer } from './input.ts';
import type { LayerInput } from './input.ts';
import type { MergeLimits } from './limits.ts';
import { vis } from './merge-columns.ts';
import { MergeState } from './merge-state.ts';
import type { MergeRules } from './merge-state.ts';
import type { LayerPath } from './path.ts';

/** What the layers below a merge have, as far as the merge must know to change it. */
export class BaseTree {
  readonly #state: MergeState;
  /** By id: 1 for directories that something is in. */
  readonly #filled: Uint8Array;

  private constructor(state: MergeState) {
    const { paths } = state;
    this.#state = state;
    this.#filled = new Uint8Array(paths.size);
    for (let id = 1; id < paths.size; id++) if (state.isThere(id)) this.#filled[paths.parent(id)] = 1;
  }

  /** Reads the headers of the layers, the topmost first, once. What hardlinks to nothing it has is none of the merge's business. */
  static async read(layers: readonly LayerInput[], limits: MergeLimits, rules: MergeRules, signal: AbortSignal | undefined): Promise<BaseTree> {
    const state = new MergeState(limits, { ...rules, danglingLinks: 'drop' });
    for (const layer of layers) {
      const reader = openLayer(layer, limits, signal);
      try {
        state.beginLayer();
        for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) state.add(entry);
      } finally {
        await reader.close();
      }
      state.endLayer({ file: () => {}, link: () => {} });
    }
    state.end();
    return new BaseTree(state);
  }

  has(path: LayerPath): boolean {
    return this.#idOf(path) !== undefined;
  }

  hasDirectory(path: LayerPath): boolean {
    const id = this.#idOf(path);
    return id !== undefined && this.#state.columns.vis[id] !== vis.nondir;
  }

  hasAnythingIn(path: LayerPath): boolean {
    const id = this.#state.paths.find(path);
    return id !== undefined && this.#filled[id] === 1;
  }

  #idOf(path: LayerPath): number | undefined {
    const id = this.#state.paths.find(path);
    return id !== undefined && this.#state.isThere(id) ? id : undefined;
  }
}
