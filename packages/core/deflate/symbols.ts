// Symbols of lengths and distances (RFC 1951, 3.2.5): which one stands for a value, what it starts at, and how many bits more say the rest.

export const endOfBlock: u32 = 256;
/** The symbol of the shortest length. */
export const firstLength: u32 = 257;
export const shortestMatch: u32 = 3;
export const longestMatch: u32 = 258;
export const lengths: u32 = 29;
export const distances: u32 = 30;

/** 16 repeats the last code length, 17 and 18 are runs of zeros (3.2.7). */
export const repeatLast: u32 = 16;
export const fewZeros: u32 = 17;
export const manyZeros: u32 = 18;

/** In which order the lengths of the code for code lengths are written: those that are likely to be zero last. */
export const orderOfLengths: StaticArray<u8> = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const lengthSlots = memory.data(<i32>(longestMatch + 1));
const lengthBases = memory.data(<i32>(2 * lengths));
/** Distances up to 256 one by one, those above by their multiples of 128: no symbol above begins elsewhere. */
const nearSlots = memory.data(256);
const farSlots = memory.data(256);

/** Which length it is, from 0 on. */
@inline
export function lengthSlot(length: u32): u32 {
  return <u32>load<u8>(lengthSlots + length);
}

@inline
export function lengthBase(slot: u32): u32 {
  return <u32>load<u16>(lengthBases + (slot << 1));
}

@inline
export function lengthExtra(slot: u32): u32 {
  return slot < 8 || slot == lengths - 1 ? 0 : (slot >> 2) - 1;
}

@inline
export function distanceSlot(distance: u32): u32 {
  const less = distance - 1;
  return less < 256 ? <u32>load<u8>(nearSlots + less) : <u32>load<u8>(farSlots + (less >> 7));
}

@inline
export function distanceBase(slot: u32): u32 {
  return slot < 4 ? slot + 1 : ((2 + (slot & 1)) << distanceExtra(slot)) + 1;
}

@inline
export function distanceExtra(slot: u32): u32 {
  return slot < 4 ? 0 : (slot >> 1) - 1;
}

/** How many bits say how long a run of code lengths is, and the shortest of them. */
@inline
export function runExtra(symbol: u32): u32 {
  return symbol < repeatLast ? 0 : symbol == repeatLast ? 2 : symbol == fewZeros ? 3 : 7;
}

/** The lengths of the fixed code (3.2.6). */
@inline
export function fixedLength(symbol: u32): u32 {
  return symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
}

export const fixedDistanceLength: u32 = 5;

/** Fills the tables. */
export function prepareSymbols(): void {
  let length = shortestMatch;
  for (let slot: u32 = 0; slot < lengths; slot++) {
    // 258 has a symbol of its own, though the one before could say it, too.
    if (slot == lengths - 1) length = longestMatch;
    store<u16>(lengthBases + (slot << 1), <u16>length);
    for (let count: u32 = 1 << lengthExtra(slot); count > 0 && length <= longestMatch; count--) store<u8>(lengthSlots + length++, <u8>slot);
  }
  for (let slot: u32 = 0; slot < distances; slot++) {
    const first = distanceBase(slot) - 1;
    const next = first + (<u32>1 << distanceExtra(slot));
    for (let less = first; less < next; less++) {
      if (less < 256) store<u8>(nearSlots + less, <u8>slot);
      else store<u8>(farSlots + (less >> 7), <u8>slot);
    }
  }
}
