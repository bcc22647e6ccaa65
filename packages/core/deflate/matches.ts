// Where the bytes at hand stood before: chains of positions whose next four bytes have one hash, newest first, and the newest position of each three bytes.
//
// Positions count on from one member to the next, so that what lies in the tables of the member before is out of reach instead of having to be cleared:
// 8,600 members of 29 kB each would clear more than they read.
import { input, segment, windowSize } from './memory';
import { longestMatch } from './symbols';

const hashBits: u32 = 16;
const shortHashBits: u32 = 14;
/** 2^32 over the golden ratio: spreads neighbouring values. */
const multiplier: u32 = 0x9e3779b1;

/** Matches of three bytes from further away cost more than three literals. */
const shortReach: u32 = 8192;

/** Positions are counted anew once they are past this. It takes 50 µs, so it may come often enough to be tested. */
const highestPosition: u32 = 1 << 26;

const heads = memory.data(4 << hashBits);
const shortHeads = memory.data(4 << shortHashBits);
/** How far back the one before it in its chain is; by position in the window. */
const chains = memory.data(<i32>(2 * windowSize));

/** What is added to an address to get its position. */
let toPosition: u32 = 0;
/** The position of the member's first byte. */
let memberStart: u32 = 0;

/** A match is its length above its distance; 0 is none. */
@inline
export function lengthOf(match: u32): u32 {
  return match >> 16;
}

@inline
export function distanceOf(match: u32): u32 {
  return match & 0xffff;
}

/** Everything so far is forgotten; `end` is where it ended. */
export function startMember(end: usize): void {
  moveOn(end);
  memberStart = <u32>segment + toPosition;
}

/** The window before `end` goes before the next segment. */
export function keepWindow(end: usize): void {
  memory.copy(input, end - windowSize, windowSize);
  moveOn(end);
}

/** What follows `end` will lie at the start of the segment. */
function moveOn(end: usize): void {
  toPosition += <u32>(end - segment);
  if (toPosition > highestPosition) countAnew();
}

/** Takes the same from every position, so that what is found stays the same: a multiple of the window, by which the chains are indexed. */
function countAnew(): void {
  const less = (toPosition - 2 * windowSize) & ~(windowSize - 1);
  toPosition -= less;
  memberStart = lessened(memberStart, less);
  for (let entry = heads; entry < heads + (4 << hashBits); entry += 4) store<u32>(entry, lessened(load<u32>(entry), less));
  for (let entry = shortHeads; entry < shortHeads + (4 << shortHashBits); entry += 4) store<u32>(entry, lessened(load<u32>(entry), less));
}

@inline
function lessened(position: u32, less: u32): u32 {
  return position > less ? position - less : 0;
}

@inline
function head(bytes: u32): usize {
  return heads + <usize>(((bytes * multiplier) >> (32 - hashBits)) << 2);
}

@inline
function shortHead(bytes: u32): usize {
  return shortHeads + <usize>((((bytes << 8) * multiplier) >> (32 - shortHashBits)) << 2);
}

@inline
function chain(position: u32): usize {
  return chains + <usize>((position & (windowSize - 1)) << 1);
}

/** So many bytes have to be there for a position to be remembered. */
export const hashedBytes: u32 = 4;

/** Remembers the position of `at`. */
@inline
export function remember(at: usize): void {
  const bytes = load<u32>(at);
  const position = <u32>at + toPosition;
  const newest = head(bytes);
  // Further than 65,535 is out of reach as well.
  store<u16>(chain(position), <u16>min<u32>(position - load<u32>(newest), 0xffff));
  store<u32>(newest, position);
  store<u32>(shortHead(bytes), position);
}

/**
 * The longest of the last `depth` matches that is longer than `least`, of equally long ones the nearest; the search is over with one of `enough` bytes. Remembers the position,
 * unless hardly anything follows.
 */
@inline
export function search(at: usize, end: usize, least: u32, depth: u32, enough: u32): u32 {
  const room = <u32>(end - at);
  if (room <= hashedBytes) return 0;
  const longest = min(room, longestMatch);
  const bytes = load<u32>(at);
  const add = toPosition;
  const position = <u32>at + add;
  const newest = head(bytes);
  const newestShort = shortHead(bytes);
  const short = load<u32>(newestShort);
  let candidate = load<u32>(newest);
  store<u16>(chain(position), <u16>min<u32>(position - candidate, 0xffff));
  store<u32>(newest, position);
  store<u32>(newestShort, position);

  const oldest = position - memberStart > windowSize ? position - windowSize : memberStart;
  let best: u32 = least;
  let match: u32 = 0;
  if (best < 3) {
    best = 3;
    if (short >= oldest && position - short <= shortReach && ((load<u32>(<usize>(short - add)) ^ bytes) & 0xff_ffff) == 0) match = (3 << 16) | (position - short);
  }
  if (best >= longest) return match;
  while (candidate >= oldest) {
    const from = <usize>(candidate - add);
    // Its last four bytes first: they tell more of those that are worse than the first four, which mostly agree.
    if (load<u32>(from + best - 3) == load<u32>(at + best - 3) && load<u32>(from) == bytes) {
      const length = matchLength(from, at, longest);
      if (length > best) {
        best = length;
        match = (length << 16) | (position - candidate);
        if (length >= enough || length == longest) break;
      }
    }
    if (--depth == 0) break;
    candidate -= <u32>load<u16>(chain(candidate));
  }
  return match;
}

/** The first four bytes are the same. */
@inline
function matchLength(from: usize, at: usize, longest: u32): u32 {
  let length: u32 = 4;
  while (length < longest) {
    const difference = load<u64>(from + length) ^ load<u64>(at + length);
    if (difference != 0) return min(length + <u32>(ctz(difference) >> 3), longest);
    length += 8;
  }
  return longest;
}
