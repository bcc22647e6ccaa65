import { AttributeTable } from './attributes.ts';
import { openLayer } from './input.ts';
import type { LayerInput } from './input.ts';
import type { MergeLimits } from './limits.ts';
import { vis } from './merge-columns.ts';
import { MergeState } from './merge-state.ts';
import { rootId } from './path-table.ts';
import type { MergeOptions } from './plan.ts';
import { Waiting } from './waiting.ts';
import { impliedFields } from './winner.ts';
import type { Winner } from './winner.ts';

/**
 * The merged tree of layers that can be read once, from the top down. What a layer has and does not show waits on disk to the end of
 * the layer, since a link to it may come. Files come before the links to them, but a directory may come after what is in it.
 */
export async function* winnersInOnePass(layers: readonly LayerInput[], limits: MergeLimits, options: MergeOptions): AsyncGenerator<Winner, void, void> {
  const state = new MergeState(limits, options);
  const links = new AttributeTable((bytes) => state.paths.hold(bytes));
  const { columns, paths } = state;
  for (const [layer, input] of layers.entries()) {
    const waiting = new Waiting(limits);
    const reader = openLayer(input, limits, options.signal);
    try {
      state.beginLayer();
      let ordinal = -1;
      for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
        ordinal += 1;
        const id = state.add(entry);
        if (id < 0) continue;
        const isSeen = state.isVisible(id);
        const winner = { kind: 'entry', path: paths.path(id), entry, header: reader.header, body: reader, layer } as const;
        if (entry.type === 'directory') {
          if (isSeen) yield { kind: 'directory', path: winner.path, fields: entry, layer };
        } else if (entry.type === 'hardlink') {
          if (isSeen) columns.row[id] = links.add(entry);
        } else if (isSeen) yield winner;
        else await waiting.add(ordinal, winner);
      }
      const decided: { readonly link: number; readonly target?: number; readonly ordinal?: number }[] = [];
      state.endLayer({ file: (ordinal, link) => void decided.push({ link, ordinal }), link: (link, target) => void decided.push({ link, target }) });
      for (const { link, target, ordinal: found } of decided) {
        const path = paths.path(link);
        if (target !== undefined) yield { kind: 'link', path, target: paths.path(target), fields: links.get(columns.row[link] ?? 0), layer: (columns.winner[link] ?? 0) - 1 };
        else if (found !== undefined) yield* waiting.entry(found, path, layer);
      }
    } finally {
      await reader.close();
      await waiting.dispose();
    }
  }
  state.end();
  for (let id = rootId + 1; id < paths.size; id++) {
    if (columns.vis[id] === vis.implied) yield { kind: 'directory', path: paths.path(id), fields: impliedFields, layer: undefined };
  }
}
