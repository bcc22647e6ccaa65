import { grown } from './columns.ts';

/** How a path stands in the merged tree, as far as the layers seen so far (from the top down) say. */
export const vis = { none: 0, implied: 1, dir: 2, nondir: 3 } as const;

/** What the layer that is being read has done to a path; the two lowest bits are a value of `vis`, of its own entry. */
export const own = { kind: 3, cut: 4, opaque: 8, implied: 16, metadata: 32 } as const;

/** How a link's place in the output comes about other than from its own entry; a number above 0 is the id of the path that it is a link to. */
export const linkTo = { entry: 0, isFile: -1, dropped: -2 } as const;

/** The state of every path of a merge, column by column. Layers are numbered from 1, the topmost first; 0 is none. */
export class MergeColumns {
  /** `vis` as committed. */
  vis = new Uint8Array(64);
  /** The layer that the entry comes from which is seen. */
  winner = new Uint16Array(64);
  /** For whoever merges: where the attributes of the entry that is seen are; -1 where they are nowhere. */
  row = new Int32Array(64);
  /** Of a hardlink that is seen the path that it is a link to, or a value of `linkTo`. */
  linkTo = new Int32Array(64);
  /** The last layer that took the path itself away or replaced it by what is no directory. */
  cut = new Uint16Array(64);
  /** The last layer that took away what the layers below have in it. */
  opaque = new Uint16Array(64);
  /** The last layer that has it as a directory, if only because something is in it. */
  dir = new Uint16Array(64);

  /** The last layer that did something to the path; what follows is of that layer. */
  stamp = new Uint16Array(64);
  /** Bits of `own`. */
  own = new Uint8Array(64);
  /** The position of its entry in the layer. */
  ordinal = new Int32Array(64);
  /** Of what is no directory: the position of the entry that has the data, or -2-n for the pending target n. */
  inode = new Int32Array(64);
  /** The position of the last entry that implies the path as a directory. */
  impliedAt = new Int32Array(64);
  /** The last layer above that hides it because of a directory that it is in; 0 where none does. */
  covered = new Uint16Array(64);
  /** The last layer that was blamed for hiding the path. */
  blamed = new Uint16Array(64);

  /** Makes room for ids below `size`. */
  ensure(size: number): void {
    if (size <= this.vis.length) return;
    const before = this.row.length;
    this.vis = grown(this.vis, size);
    this.winner = grown(this.winner, size);
    this.row = grown(this.row, size);
    this.row.fill(-1, before);
    this.linkTo = grown(this.linkTo, size);
    this.cut = grown(this.cut, size);
    this.opaque = grown(this.opaque, size);
    this.dir = grown(this.dir, size);
    this.stamp = grown(this.stamp, size);
    this.own = grown(this.own, size);
    this.ordinal = grown(this.ordinal, size);
    this.inode = grown(this.inode, size);
    this.impliedAt = grown(this.impliedAt, size);
    this.covered = grown(this.covered, size);
    this.blamed = grown(this.blamed, size);
  }

  constructor() {
    this.row.fill(-1);
  }
}
