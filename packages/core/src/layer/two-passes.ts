import { OciTarError } from '../errors.ts';
import { openLayer } from './input.ts';
import type { LayerInput } from './input.ts';
import type { MergeLimits } from './limits.ts';
import { Directories } from './directories.ts';
import { linkTo, vis } from './merge-columns.ts';
import { rootId } from './path-table.ts';
import { planMerge } from './plan.ts';
import type { MergeOptions } from './plan.ts';
import { whiteoutsOf } from './whiteouts-kept.ts';
import type { Winner } from './winner.ts';

/**
 * The merged tree of layers that can be read twice: first their headers, then, from the base up, the bodies that are seen.
 * Directories come before what is in them, files before the links to them; nothing waits on disk.
 */
export async function* winnersInTwoPasses(layers: readonly LayerInput[], limits: MergeLimits, options: MergeOptions): AsyncGenerator<Winner, void, void> {
  const plan = await planMerge(layers, limits, options);
  const directories = new Directories(plan);
  yield* directories.above(rootId);
  const { columns, paths } = plan.state;
  // Before this layer changes or hides what they are links to.
  for (const { link, target } of plan.baseLinks) {
    yield* directories.above(paths.parent(link));
    yield { kind: 'link', path: paths.path(link), target: paths.path(target), fields: plan.rows.get(columns.row[link] ?? 0), layer: (columns.winner[link] ?? 0) - 1 };
  }
  for (const [layer, input] of [...layers.entries()].toReversed()) {
    const seen = plan.seen[layer];
    if (seen === undefined || seen.length === 0) continue;
    const reader = openLayer(input, limits, options.signal, true);
    try {
      for (let ordinal = 0; ordinal < seen.length; ordinal++) {
        const entry = await reader.next();
        if (entry === undefined) throw changed(layer, seen.length, ordinal);
        const id = seen[ordinal] ?? -1;
        if (id < 0) continue;
        if (columns.vis[id] === vis.dir) {
          yield* directories.above(id);
          continue;
        }
        const path = paths.path(id);
        const target = columns.linkTo[id] ?? linkTo.entry;
        if (entry.type === 'hardlink') {
          if (target <= 0) continue;
          yield* directories.above(paths.parent(id));
          yield { kind: 'link', path, target: paths.path(target), fields: entry, layer };
        } else {
          yield* directories.above(paths.parent(id));
          yield { kind: 'entry', path, entry, header: reader.header, body: reader, layer };
        }
      }
      // What was seen may be something else by now, and the digest is at the end.
      await reader.drain();
    } finally {
      await reader.close();
    }
  }
  yield* directories.left();
  if (plan.base !== undefined) yield* whiteoutsOf(plan.state, plan.base);
}

function changed(layer: number, expected: number, actual: number): OciTarError {
  return new OciTarError('SIZE_MISMATCH', `layer ${layer}, from the top, changed between two reads: it has ${actual} entries, expected ${expected} and more`, { expected, actual });
}
