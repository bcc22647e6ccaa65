import { OciTarError } from '../errors.ts';
import type { TarEntry } from '../tar/entry.ts';
import { Int32List } from './columns.ts';
import { HardLinks } from './hard-links.ts';
import type { BaseLink, LinkBase, LinkDecisions } from './hard-links.ts';
import { overLimit } from './limits.ts';
import type { MergeLimits } from './limits.ts';
import { linkTo, MergeColumns, own, vis } from './merge-columns.ts';
import { layerPath, textOfPath } from './path.ts';
import type { LayerPath } from './path.ts';
import { PathTable, rootId } from './path-table.ts';
import { markOf } from './whiteout.ts';

export interface MergeRules {
  /** A path that one layer has twice, which the image-spec forbids: an error (INVALID_TAR, default), or the last entry counts. */
  readonly duplicates?: 'error' | 'last';
  /** A hardlink to what is not there: an error (INVALID_TAR, default), or it is left out. */
  readonly danglingLinks?: 'error' | 'drop';
}

/** What a `LayerEffect` is counted in. */
export interface EffectCounts {
  entries: number;
  visible: number;
  hides: number;
  whiteouts: number;
  bytes: number;
}

/**
 * The merge itself: fed the headers of the layers, the topmost layer first, it tells which entries are seen. Entries are judged by
 * what the layers above say; what a layer says itself holds only below it (image-spec, layer.md, Whiteouts).
 */
export class MergeState {
  readonly paths: PathTable;
  readonly columns = new MergeColumns();
  readonly effects: EffectCounts[] = [];
  /** Number of the layer that is being read, from 1. */
  layer = 0;
  readonly #limits: MergeLimits;
  readonly #lastWins: boolean;
  readonly #links: HardLinks;
  #touched = new Int32List();
  #entries = new Int32List();
  /** Where what was a directory in this layer was replaced, by path, and at which position; only where the last of duplicates counts. */
  readonly #replacedAt = new Map<number, number>();
  #effect: EffectCounts = noEffect();
  #count = 0;

  constructor(limits: MergeLimits, { duplicates, danglingLinks }: MergeRules = {}) {
    this.#limits = limits;
    this.#lastWins = duplicates === 'last';
    this.paths = new PathTable(limits);
    this.#links = new HardLinks(this, danglingLinks === 'drop');
  }

  beginLayer(): void {
    this.layer += 1;
    if (this.layer > 0xffff) throw overLimit('too many of them', 0xffff);
    this.#touched = new Int32List();
    this.#entries = new Int32List();
    this.#replacedAt.clear();
    this.#effect = noEffect();
    this.effects.push(this.#effect);
  }

  /** Takes the next header of the layer; returns the id of its path, -1 for whiteouts and the like. */
  add(entry: TarEntry): number {
    this.#count += 1;
    if (this.#count > this.#limits.entries) throw overLimit('too many entries', this.#limits.entries);
    const ordinal = this.#entries.length;
    const mark = markOf(layerPath(entry.pathBytes, entry.path), entry.type);
    const id = mark.kind === 'entry' ? this.#addEntry(mark.path, ordinal, entry) : mark.kind === 'metadata' ? this.#addMetadata(mark.path, ordinal, entry) : -1;
    if (mark.kind === 'whiteout') this.#addOwn(this.#touch(mark.path, ordinal), own.cut);
    else if (mark.kind === 'opaque') this.#addOpaque(mark.path, ordinal);
    if (id < 0 && mark.kind !== 'metadata') this.#effect.whiteouts += 1;
    this.#entries.push(id);
    return id;
  }

  /** Whether the layers above leave the entry that this layer has of a path to be seen. */
  isVisible(id: number): boolean {
    const { columns } = this;
    const bits = columns.own[id] ?? 0;
    if ((bits & own.metadata) !== 0 || columns.covered[id] !== 0 || columns.cut[id] !== 0) return false;
    const seen = columns.vis[id];
    return seen === vis.none || (seen === vis.implied && (bits & own.kind) === vis.dir);
  }

  /** Ends the layer. Returns which path each of its entries is of; -1 for what is none. INVALID_TAR for a link to nothing. */
  endLayer(decisions: LinkDecisions): Int32Array {
    this.#links.endLayer(decisions);
    for (let i = 0; i < this.#touched.length; i++) this.#commit(this.#touched.at(i));
    return this.#entries.toArray();
  }

  /**
   * Ends the merge. INVALID_TAR for a link that no layer has the target of. Links to what the base has are returned, to be made before
   * anything else is.
   */
  end(base?: LinkBase): readonly BaseLink[] {
    return this.#links.end(base);
  }

  /** Whether a path is in the merged tree, if only because something is in it. */
  isThere(id: number): boolean {
    return this.columns.vis[id] !== vis.none && this.columns.linkTo[id] !== linkTo.dropped;
  }

  /** The path that an entry of this layer is of. */
  entryAt(ordinal: number): number {
    return this.#entries.at(ordinal);
  }

  /** The id of a path, new or not, about which this layer says nothing by that. */
  node(path: LayerPath): number {
    const id = this.paths.add(path);
    this.columns.ensure(this.paths.size);
    return id;
  }

  /** What this layer makes of a path. */
  ownKind(id: number): number {
    const { columns } = this;
    if (columns.stamp[id] !== this.layer) return vis.none;
    const bits = columns.own[id] ?? 0;
    if (this.#lastWins) return this.#lastKind(id, bits);
    return bits & own.kind || ((bits & own.implied) === 0 ? vis.none : vis.implied);
  }

  /** The same where later entries take the place of earlier ones. */
  #lastKind(id: number, bits: number): number {
    const { columns } = this;
    let since = -1;
    if (this.#replacedAt.size > 0) {
      for (let above = this.paths.parent(id); above >= 0; above = this.paths.parent(above)) since = Math.max(since, this.#replacedAt.get(above) ?? -1);
    }
    const ordinal = columns.ordinal[id] ?? 0;
    const impliedAt = (bits & own.implied) === 0 ? -1 : (columns.impliedAt[id] ?? 0);
    const kind = (bits & own.kind) !== 0 && ordinal > since ? bits & own.kind : vis.none;
    const implied = impliedAt > since;
    if (kind === vis.none || (kind === vis.nondir && implied && impliedAt > ordinal)) return implied ? vis.implied : vis.none;
    return kind;
  }

  #addEntry(path: LayerPath, ordinal: number, entry: TarEntry): number {
    const id = this.#touch(path, ordinal);
    this.#effect.entries += 1;
    if (entry.type === 'file') this.#effect.bytes += entry.sparse?.realSize ?? entry.size;
    if (entry.type === 'directory') this.#placeDirectory(id, ordinal);
    else this.#placeOther(id, ordinal, entry);
    this.#blame(id, entry.type === 'directory');
    return id;
  }

  #addOpaque(path: LayerPath, ordinal: number): void {
    const id = this.#touch(path, ordinal);
    this.#imply(id, ordinal);
    this.#addOwn(id, own.opaque);
  }

  /** No part of the tree, but links of this layer may point to it. */
  #addMetadata(path: LayerPath, ordinal: number, entry: TarEntry): number {
    if (entry.type === 'directory') return -1;
    const id = this.node(path);
    this.columns.stamp[id] = this.layer;
    this.columns.own[id] = own.metadata | vis.nondir;
    this.columns.ordinal[id] = ordinal;
    this.columns.inode[id] = entry.type === 'hardlink' ? this.#links.add(id, ordinal, entry) : ordinal;
    return id;
  }

  /** The id of a path that this layer says something about, with all directories above it implied. */
  #touch(path: LayerPath, ordinal: number): number {
    const id = this.node(path);
    if (id !== rootId) this.#implyAbove(this.paths.parent(id), ordinal);
    this.#stamp(id);
    return id;
  }

  /** From the top down: what covers a path follows from what covers its directory. */
  #implyAbove(id: number, ordinal: number): void {
    if (!this.#lastWins && this.columns.stamp[id] === this.layer && ((this.columns.own[id] ?? 0) & own.implied) !== 0) return;
    const chain = [id];
    for (let above = this.paths.parent(id); above >= 0; above = this.paths.parent(above)) chain.push(above);
    for (const one of chain.toReversed()) {
      this.#stamp(one);
      this.#imply(one, ordinal);
    }
  }

  #imply(id: number, ordinal: number): void {
    if (!this.#lastWins && this.ownKind(id) === vis.nondir) throw this.#twice(id);
    this.#addOwn(id, own.implied);
    this.columns.impliedAt[id] = ordinal;
  }

  #stamp(id: number): void {
    const { columns } = this;
    if (columns.stamp[id] === this.layer) return;
    columns.stamp[id] = this.layer;
    columns.own[id] = 0;
    const parent = this.paths.parent(id);
    columns.covered[id] = parent < 0 ? 0 : Math.max(columns.covered[parent] ?? 0, columns.cut[parent] ?? 0, columns.opaque[parent] ?? 0);
    this.#touched.push(id);
  }

  #addOwn(id: number, bits: number): void {
    this.columns.own[id] = (this.columns.own[id] ?? 0) | bits;
  }

  #placeDirectory(id: number, ordinal: number): void {
    const bits = this.columns.own[id] ?? 0;
    if (!this.#lastWins && (bits & own.kind) !== 0) throw this.#twice(id);
    this.columns.own[id] = (bits & ~own.kind) | vis.dir;
    this.columns.ordinal[id] = ordinal;
  }

  #placeOther(id: number, ordinal: number, entry: TarEntry): void {
    if (id === rootId) throw new OciTarError('INVALID_TAR', `the root of a layer is a ${entry.type} and no directory`, { offset: entry.offset });
    const bits = this.columns.own[id] ?? 0;
    if (!this.#lastWins && (bits & (own.kind | own.implied)) !== 0) throw this.#twice(id);
    // Before it takes its own place: a link to its own name means the file of the layers below.
    const inode = entry.type === 'hardlink' ? this.#links.add(id, ordinal, entry) : ordinal;
    if ((bits & own.implied) !== 0 || (bits & own.kind) === vis.dir) this.#replacedAt.set(id, ordinal);
    this.columns.own[id] = (bits & ~own.kind) | vis.nondir | own.cut;
    this.columns.ordinal[id] = ordinal;
    this.columns.inode[id] = inode;
  }

  /** Counts a path that a layer above hides, for the lowest of those that do. */
  #blame(id: number, isDirectory: boolean): void {
    const { columns } = this;
    const by = Math.max(columns.covered[id] ?? 0, columns.cut[id] ?? 0, isDirectory ? 0 : (columns.dir[id] ?? 0));
    if (by === 0 || columns.blamed[id] === by) return;
    columns.blamed[id] = by;
    const effect = this.effects[by - 1];
    if (effect !== undefined) effect.hides += 1;
  }

  #commit(id: number): void {
    const { columns } = this;
    const bits = columns.own[id] ?? 0;
    const kind = this.ownKind(id);
    const open = columns.covered[id] === 0 && columns.cut[id] === 0;
    const seen = columns.vis[id];
    if (open && (seen === vis.none || (seen === vis.implied && kind === vis.dir)) && kind !== vis.none) {
      columns.vis[id] = kind;
      if (kind !== vis.implied) {
        columns.winner[id] = this.layer;
        if (columns.linkTo[id] !== linkTo.dropped) this.#effect.visible += 1;
      }
    }
    if ((bits & own.cut) !== 0) columns.cut[id] = this.layer;
    if ((bits & own.opaque) !== 0) columns.opaque[id] = this.layer;
    if (kind === vis.dir || kind === vis.implied) columns.dir[id] = this.layer;
  }

  #twice(id: number): OciTarError {
    const text = textOfPath(this.paths.path(id));
    return new OciTarError('INVALID_TAR', `a layer has ${JSON.stringify(text)} twice, or as a file and as a directory`, {
      subject: text,
      hint: 'The image-spec forbids it. The last of them counts with --last-duplicate, in the library with duplicates: "last".',
    });
  }
}

function noEffect(): EffectCounts {
  return { entries: 0, visible: 0, hides: 0, whiteouts: 0, bytes: 0 };
}
