// Bits on their way out, lowest first (RFC 1951, 3.1.1). Whoever writes many of them takes all three into variables of its own and hands them back.
import { output } from './memory';

/** Those that do not fill a byte yet, and how many; up to 63. */
let held: u64 = 0;
let heldCount: u32 = 0;
/** Where the next byte goes. */
let place: usize = output;

@inline
export function heldBits(): u64 {
  return held;
}

@inline
export function heldBitCount(): u32 {
  return heldCount;
}

@inline
export function outputPlace(): usize {
  return place;
}

@inline
export function holdBits(bits: u64, count: u32, at: usize): void {
  held = bits;
  heldCount = count;
  place = at;
}

/** What is held is forgotten. */
export function startBits(): void {
  held = 0;
  heldCount = 0;
}

/** Adds up to 32 bits. */
export function put(bits: u32, count: u32): void {
  held |= <u64>bits << heldCount;
  heldCount += count;
  store<u64>(place, held);
  place += heldCount >> 3;
  held >>= heldCount & ~7;
  heldCount &= 7;
}

/** Fills the byte up with zeros. */
export function padToByte(): void {
  store<u8>(place, <u8>held);
  place += (heldCount + 7) >> 3;
  startBits();
}

/** Whole bytes, after `padToByte`. */
export function putBytes(from: usize, count: u32): void {
  memory.copy(place, from, count);
  place += count;
}

/** What is written goes to the start of the output again; returns how much there was. */
export function takeOutput(): u32 {
  const written = <u32>(place - output);
  place = output;
  return written;
}
