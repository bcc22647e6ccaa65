// Deflate (RFC 1951) of one member after the other, in segments that are written at `segmentAddress`; what comes of each lies at `outputAddress`.
// What it gives depends on the member's bytes and the level alone.
import { padToByte, startBits, takeOutput } from './bits';
import { writeBlock } from './block';
import { depthOf, enoughOf, isLazy } from './levels';
import { keepWindow, startMember } from './matches';
import { output, segment } from './memory';
import { makeSequences } from './sequences';
import { prepareSymbols } from './symbols';

export const segmentAddress: usize = segment;
export const outputAddress: usize = output;
export { segmentSize } from './memory';

let level: u32 = 6;
let memberEnd: usize = segment;

prepareSymbols();

/** A new member begins, at a level of 1 (fastest) to 9 (smallest). */
export function start(newLevel: u32): void {
  startBits();
  startMember(memberEnd);
  memberEnd = segment;
  level = newLevel;
}

/** Compresses the next `length` bytes of the member, at most a segment; returns how many bytes there are in the output. Where segments are cut shows in them. */
export function deflate(length: u32, last: bool): u32 {
  const end = segment + <usize>length;
  let at = segment;
  do {
    const from = at;
    at = makeSequences(from, end, isLazy(level), depthOf(level), enoughOf(level));
    writeBlock(from, at, last && at == end);
  } while (at < end);
  if (last) {
    padToByte();
    memberEnd = end;
  } else {
    keepWindow(end);
  }
  return takeOutput();
}
