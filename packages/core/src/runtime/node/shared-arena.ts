/** A piece of memory that threads see, too. */
export interface SharedPiece {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Where it lies in the arena; undefined where it has memory of its own, since the arena was full. */
  readonly start: number | undefined;
}

interface Taken extends SharedPiece {
  readonly start: number;
}

/**
 * Memory that is taken and given back in pieces, for what threads work on. Buffers that are handed over to a thread and back are new to the garbage collector each
 * time, which then collects all of the heap every 10 to 20 MB: a quarter of the processor time of verifying a layer. The lowest free place is taken, so that no more is
 * touched than is in use at a time.
 */
export class SharedArena {
  readonly memory: SharedArrayBuffer;
  /** What is taken, from the lowest on. */
  readonly #taken: Taken[] = [];

  constructor(size: number) {
    this.memory = new SharedArrayBuffer(size);
  }

  /** So many bytes, whose content is anything. */
  take(size: number): SharedPiece {
    let start = 0;
    let place = 0;
    for (const taken of this.#taken) {
      if (taken.start - start >= size) break;
      start = taken.start + taken.bytes.length;
      place += 1;
    }
    if (start + size > this.memory.byteLength) return { bytes: new Uint8Array(new SharedArrayBuffer(size)), start: undefined };
    const piece: Taken = { bytes: new Uint8Array(this.memory, start, size), start };
    this.#taken.splice(place, 0, piece);
    return piece;
  }

  /** Gives a piece back, which is not used any more. */
  give(piece: SharedPiece): void {
    const place = this.#taken.findIndex((taken) => taken === piece);
    if (place >= 0) this.#taken.splice(place, 1);
  }
}
