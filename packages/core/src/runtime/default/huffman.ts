/** A prefix code of deflate as one table: the next `bits` bits of input give `length << 16 | symbol`, or 0 for no code. */
export interface HuffmanCode {
  readonly table: Int32Array;
  readonly bits: number;
}

/** Builds the code of RFC 1951, 3.2.2 from its lengths (0 to 15). Throws where they fit no prefix code. */
export function huffmanCode(lengths: Uint8Array, what: string): HuffmanCode {
  const counts = new Int32Array(16);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  counts[0] = 0;
  let bits = 15;
  while (bits > 1 && counts[bits] === 0) bits--;

  const next = new Int32Array(17);
  let left = 1;
  for (let length = 1; length <= 15; length++) {
    const count = counts[length] ?? 0;
    left = left * 2 - count;
    if (left < 0) throw new Error(`too many ${what} codes`);
    next[length + 1] = ((next[length] ?? 0) + count) << 1;
  }
  // The one incomplete code that the format allows: a single code of one bit, or none at all.
  const used = counts.reduce((sum, count) => sum + count, 0);
  if (left > 0 && (used > 1 || (used === 1 && counts[1] !== 1))) throw new Error(`too few ${what} codes`);

  const table = new Int32Array(1 << bits);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol] ?? 0;
    if (length === 0) continue;
    const code = next[length] ?? 0;
    next[length] = code + 1;
    const entry = (length << 16) | symbol;
    for (let index = reversed(code, length); index < table.length; index += 1 << length) table[index] = entry;
  }
  return { table, bits };
}

/** Codes are packed starting with their highest bit, everything else with its lowest. */
function reversed(code: number, length: number): number {
  let result = 0;
  for (let bit = 0; bit < length; bit++) result |= ((code >>> bit) & 1) << (length - 1 - bit);
  return result;
}
