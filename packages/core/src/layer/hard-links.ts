import { OciTarError } from '../errors.ts';
import type { TarEntry } from '../tar/entry.ts';
import { Int32List } from './columns.ts';
import { linkTo, own, vis } from './merge-columns.ts';
import type { MergeState } from './merge-state.ts';
import { layerPath, textOfPath } from './path.ts';
import type { LayerPath } from './path.ts';

/** What is decided at the end of a layer about hardlinks that are seen, of this layer or of one above. */
export interface LinkDecisions {
  /** `link` becomes the file itself: the entry at `ordinal` of this layer has its data and attributes, and is not seen under its own name. */
  file(ordinal: number, link: number): void;
  /** `link` is a link to `target`, whose data comes from this layer. */
  link(link: number, target: number): void;
}

/** What has to be known of layers that are not part of the merge. */
export interface LinkBase {
  has(path: LayerPath): boolean;
  hasDirectory(path: LayerPath): boolean;
}

/** A link that is seen, to a path of layers that are not part of the merge. */
export interface BaseLink {
  readonly link: number;
  readonly target: number;
}

/** A path of the layers below that links of this layer and of those above are links to. */
interface Pending {
  readonly target: number;
  /** The links that are seen, in the order in which they were found. */
  readonly waiters: number[];
}

/**
 * Which file each hardlink is the same as: one that stands before it in its own layer, or else what the layers below have at that
 * path, as they are before this layer changes them.
 */
export class HardLinks {
  readonly #state: MergeState;
  readonly #drops: boolean;
  /** Links of this layer: path, position, inode. */
  #found = new Int32List();
  #pending: Pending[] = [];
  /** Those of layers above, which this layer may have the target of. */
  #above: Pending[] = [];
  readonly #byTarget = new Map<number, number>();
  /** By the position of an entry that is not seen: the link that is seen in its place. */
  readonly #stands = new Map<number, number>();

  constructor(state: MergeState, drops: boolean) {
    this.#state = state;
    this.#drops = drops;
  }

  /** A link of this layer. Returns its inode: the position of the entry with the data, or -2-n for a pending one. */
  add(link: number, ordinal: number, entry: TarEntry): number {
    const target = this.#state.node(layerPath(entry.linknameBytes, entry.linkname));
    const inode = this.#state.ownKind(target) === vis.nondir ? (this.#state.columns.inode[target] ?? 0) : -2 - this.#pendingOn(target);
    this.#found.push(link);
    this.#found.push(ordinal);
    this.#found.push(inode);
    return inode;
  }

  endLayer(decisions: LinkDecisions): void {
    const state = this.#state;
    for (let i = 0; i < this.#found.length; i += 3) {
      const link = this.#found.at(i);
      // Not where a later entry has taken its place.
      const counts = state.columns.ordinal[link] === this.#found.at(i + 1) && state.ownKind(link) === vis.nondir;
      if (counts && state.isVisible(link)) this.#resolve([link], this.#found.at(i + 2), decisions);
    }
    const still: Pending[] = [];
    for (const pending of this.#above) {
      const { target, waiters } = pending;
      const found = state.ownKind(target) === vis.nondir && ((state.columns.own[target] ?? 0) & own.metadata) === 0;
      if (found) this.#resolve(waiters, state.columns.inode[target] ?? 0, decisions);
      else if (this.#takesAway(target)) this.#dangle(pending);
      else still.push(pending);
    }
    for (const pending of this.#pending) {
      if (pending.waiters.length === 0) continue;
      // Book-keeping of AUFS is good for the links of its own layer only.
      if (state.paths.path(pending.target).startsWith('.wh..wh.')) this.#dangle(pending);
      else still.push(pending);
    }
    this.#above = still;
    this.#pending = [];
    this.#byTarget.clear();
    this.#stands.clear();
    this.#found = new Int32List();
  }

  /** What is pending is a link to a file of the base, or else to nothing. Those of the first kind are returned. */
  end(base: LinkBase | undefined): readonly BaseLink[] {
    const links: BaseLink[] = [];
    for (const pending of this.#above) {
      const target = this.#state.paths.path(pending.target);
      if (base === undefined || !base.has(target) || base.hasDirectory(target)) this.#dangle(pending);
      else for (const link of pending.waiters) links.push({ link, target: pending.target });
    }
    for (const { link } of links) this.#state.columns.linkTo[link] = linkTo.isFile;
    this.#above = [];
    return links;
  }

  #pendingOn(target: number): number {
    const known = this.#byTarget.get(target);
    if (known !== undefined) return known;
    this.#byTarget.set(target, this.#pending.length);
    return this.#pending.push({ target, waiters: [] }) - 1;
  }

  #resolve(links: readonly number[], inode: number, decisions: LinkDecisions): void {
    const { columns } = this.#state;
    if (inode < 0) {
      const pending = this.#pending[-2 - inode];
      for (const link of links) pending?.waiters.push(link);
      return;
    }
    let target = this.#standsFor(inode);
    for (const link of links) {
      if (target === undefined) {
        this.#stands.set(inode, (target = link));
        columns.linkTo[link] = linkTo.isFile;
        decisions.file(inode, link);
      } else {
        columns.linkTo[link] = target;
        decisions.link(link, target);
      }
    }
  }

  /** Where the data of an entry of this layer is seen; undefined where it is not. */
  #standsFor(ordinal: number): number | undefined {
    const state = this.#state;
    const id = state.entryAt(ordinal);
    const isSeen = state.columns.ordinal[id] === ordinal && state.ownKind(id) === vis.nondir && state.isVisible(id);
    return isSeen ? id : this.#stands.get(ordinal);
  }

  /** Whether nothing of the layers below is left at a path once this layer is applied. */
  #takesAway(target: number): boolean {
    const { columns, layer, paths } = this.#state;
    if (this.#state.ownKind(target) !== vis.none) return true;
    let taking: number = own.cut;
    for (let id = target; id >= 0; id = paths.parent(id)) {
      if (columns.stamp[id] === layer && ((columns.own[id] ?? 0) & taking) !== 0) return true;
      taking = own.cut | own.opaque;
    }
    return false;
  }

  #dangle({ target, waiters }: Pending): void {
    const { columns, paths, effects } = this.#state;
    const [first] = waiters;
    if (first === undefined) return;
    if (!this.#drops) {
      const subject = textOfPath(paths.path(first));
      throw new OciTarError('INVALID_TAR', `${JSON.stringify(subject)} is a hardlink to ${JSON.stringify(textOfPath(paths.path(target)))}, which is not there`, {
        subject,
        hint: 'Such links can be left out.',
      });
    }
    for (const link of waiters) {
      columns.linkTo[link] = linkTo.dropped;
      // Of this layer it is not counted yet.
      const effect = columns.vis[link] === vis.nondir ? effects[(columns.winner[link] ?? 0) - 1] : undefined;
      if (effect !== undefined) effect.visible -= 1;
    }
  }
}
