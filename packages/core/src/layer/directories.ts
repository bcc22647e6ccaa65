import type { BaseTree } from './base-tree.ts';
import { vis } from './merge-columns.ts';
import { rootId } from './path-table.ts';
import type { MergePlan } from './plan.ts';
import { closedPaths } from './whiteouts-kept.ts';
import { impliedFields } from './winner.ts';
import type { Winner } from './winner.ts';

/** The directories that were not written yet. */
export class Directories {
  readonly #plan: MergePlan;
  readonly #done: Uint8Array;
  readonly #closed: Uint8Array;

  constructor(plan: MergePlan) {
    this.#plan = plan;
    this.#done = new Uint8Array(plan.state.paths.size);
    this.#closed = plan.base !== undefined ? closedPaths(plan.state) : new Uint8Array(0);
  }

  /** A directory and those above it, the highest first. */
  above(id: number): readonly Winner[] {
    if (this.#done[id] === 1) return none;
    const chain: Winner[] = [];
    for (let one = id; one >= 0 && this.#done[one] === 0; one = this.#plan.state.paths.parent(one)) this.#take(one, chain);
    return chain.toReversed();
  }

  /** Those that nothing else is in, and what is in those. */
  *left(): Generator<Winner, void, void> {
    const { state } = this.#plan;
    for (let id = rootId + 1; id < state.paths.size; id++) {
      const seen = state.columns.vis[id];
      if (this.#done[id] === 1 || (seen !== vis.dir && seen !== vis.implied)) continue;
      const taken: Winner[] = [];
      this.#take(id, taken);
      yield* taken;
    }
  }

  /** Whether a directory is none of the base's, which would keep all its attributes. */
  #isFresh(id: number, base: BaseTree): boolean {
    const { columns, paths } = this.#plan.state;
    return columns.cut[id] !== 0 || this.#closed[paths.parent(id)] === 1 || !base.hasDirectory(paths.path(id));
  }

  #take(id: number, taken: Winner[]): void {
    this.#done[id] = 1;
    const { state, rows, base } = this.#plan;
    const { columns } = state;
    const hasEntry = columns.vis[id] === vis.dir;
    if (!hasEntry && (id === rootId || (base !== undefined && !this.#isFresh(id, base)))) return;
    taken.push({
      kind: 'directory',
      path: state.paths.path(id),
      fields: hasEntry ? rows.get(columns.row[id] ?? 0) : impliedFields,
      layer: hasEntry ? (columns.winner[id] ?? 0) - 1 : undefined,
    });
  }
}

const none: readonly Winner[] = [];
