/** The numbers of many rows, column by column: an object a row would take ten times the memory. */
export class Int32List {
  #values = new Int32Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) this.#values = grown(this.#values, this.length + 1);
    this.#values[this.length++] = value;
  }

  /** The value at a position below `length`. */
  at(position: number): number {
    return this.#values[position] ?? 0;
  }

  set(position: number, value: number): void {
    this.#values[position] = value;
  }

  /** All of them, without the room for more. */
  toArray(): Int32Array {
    return this.#values.slice(0, this.length);
  }
}

/** The same column with room for half as much again, and for `needed` rows at least. */
export function grown<T extends Column>(column: T, needed: number): T {
  const length = Math.max(needed, Math.ceil(column.length * 1.5));
  return widened(column, length);
}

export type Column = Int32Array | Uint16Array | Uint8Array | Uint32Array | Float64Array;

function widened<T extends Column>(column: T, length: number): T;
function widened(column: Column, length: number): Column {
  const wide = emptyLike(column, length);
  wide.set(column);
  return wide;
}

function emptyLike(column: Column, length: number): Column {
  if (column instanceof Int32Array) return new Int32Array(length);
  if (column instanceof Uint16Array) return new Uint16Array(length);
  if (column instanceof Uint32Array) return new Uint32Array(length);
  return column instanceof Float64Array ? new Float64Array(length) : new Uint8Array(length);
}
