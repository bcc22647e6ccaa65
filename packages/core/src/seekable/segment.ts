import type { DraftEntry } from './draft.ts';

/** A run of the tar between two places where a member may start. */
export interface Segment {
  readonly parts: Uint8Array[];
  /** In bytes. */
  size: number;
  /** The chunk whose content the segment starts with; what follows it is padding and headers. */
  readonly chunk: DraftEntry | undefined;
  /** Starts a member even where members are to have a least size. */
  readonly apart: boolean;
}

/** A member of the blob, compressed. */
export interface Member {
  readonly bytes: Uint8Array;
  /** The chunks in it, and where their content starts in what it decompresses to. */
  readonly chunks: readonly { readonly chunk: DraftEntry; readonly innerOffset: number }[];
}

export function newSegment(chunk?: DraftEntry, apart = false): Segment {
  return { parts: [], size: 0, chunk, apart };
}
