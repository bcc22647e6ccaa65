import type { BaseTree } from './base-tree.ts';
import { linkTo, vis } from './merge-columns.ts';
import type { MergeState } from './merge-state.ts';
import { nameOf, parentOf } from './path.ts';
import type { LayerPath } from './path.ts';
import { whiteoutFields } from './winner.ts';
import type { Winner } from './winner.ts';

/** By id: 1 for paths below which nothing of the layers below the merge can be seen. */
export function closedPaths({ columns, paths }: MergeState): Uint8Array {
  const closed = new Uint8Array(paths.size);
  // A directory has a lower id than what is in it.
  for (let id = 0; id < paths.size; id++) {
    const isClosed = columns.cut[id] !== 0 || columns.opaque[id] !== 0 || closed[paths.parent(id)] === 1;
    closed[id] = isClosed ? 1 : 0;
  }
  return closed;
}

/**
 * What a merge hides of the layers below it, as few markers as say it: none for what lies in a directory of which nothing of the base is
 * left, none for what a file of the merge takes the place of, and none for what the base does not have. A marker for nothing would not be
 * harmless: overlayfs shows it as a broken device in a directory that only one layer has.
 */
export function* whiteoutsOf(state: MergeState, base: BaseTree): Generator<Winner, void, void> {
  const { columns, paths } = state;
  const closed = closedPaths(state);
  for (let id = 0; id < paths.size; id++) {
    if (closed[id] === 0 || closed[paths.parent(id)] === 1) continue;
    const seen = columns.vis[id];
    const path = paths.path(id);
    if (seen === vis.dir || seen === vis.implied) {
      if (base.hasAnythingIn(path)) yield marker(path === '' ? opaqueName : `${path}/${opaqueName}`);
    } else if ((seen === vis.none || columns.linkTo[id] === linkTo.dropped) && base.has(path)) yield marker(whiteoutOf(path));
  }
}

const opaqueName = '.wh..wh..opq';

function marker(path: LayerPath): Winner {
  return { kind: 'whiteout', path, fields: whiteoutFields, layer: undefined };
}

function whiteoutOf(path: LayerPath): LayerPath {
  const parent = parentOf(path);
  return `${parent === '' ? '' : `${parent}/`}.wh.${nameOf(path)}`;
}
