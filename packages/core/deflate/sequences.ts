// Cuts the input into sequences, each a run of literals and the match behind it, and counts the symbols that they take.
import { distanceSymbols, literalSymbols, literalsOfBlock, sequencesOfBlock } from './memory';
import { distanceOf, hashedBytes, lengthOf, remember, search } from './matches';
import { distanceSlot, firstLength, lengthSlot } from './symbols';

/** How often each symbol occurs in the block. */
export const literalFrequencies = memory.data(<i32>(4 * literalSymbols));
export const distanceFrequencies = memory.data(<i32>(4 * distanceSymbols));

/** Two words each: how many literals, and the match; the last has none. */
export const sequences = memory.data(<i32>(8 * (sequencesOfBlock + 1)));

@inline
function count(table: usize, symbol: u32): void {
  const frequency = table + <usize>(symbol << 2);
  store<u32>(frequency, load<u32>(frequency) + 1);
}

/** The sequences of one block from `start` on; returns where they end. */
export function makeSequences(start: usize, end: usize, lazy: bool, depth: u32, enough: u32): usize {
  memory.fill(literalFrequencies, 0, 4 * literalSymbols);
  memory.fill(distanceFrequencies, 0, 4 * distanceSymbols);
  const lastPlace = end - <usize>hashedBytes;
  const full = sequences + <usize>(8 * sequencesOfBlock);
  let sequence = sequences;
  let literals = start;
  let at = start;
  // Matches move it on: it is the literals that are counted.
  let stop = min(end, start + <usize>literalsOfBlock);
  while (at < stop && sequence < full) {
    let match = search(at, end, 0, depth, enough);
    if (match == 0) {
      count(literalFrequencies, <u32>load<u8>(at++));
      continue;
    }
    let remembered = at + 1;
    while (lazy && lengthOf(match) < enough) {
      const next = search(at + 1, end, lengthOf(match) - 1, depth >> 1, enough);
      remembered = at + 2;
      if (!isBetter(next, match)) break;
      count(literalFrequencies, <u32>load<u8>(at++));
      match = next;
    }
    const length = lengthOf(match);
    store<u32>(sequence, <u32>(at - literals));
    store<u32>(sequence, match, 4);
    sequence += 8;
    count(literalFrequencies, firstLength + lengthSlot(length));
    count(distanceFrequencies, distanceSlot(distanceOf(match)));
    at += <usize>length;
    const until = min(at, lastPlace);
    while (remembered < until) remember(remembered++);
    literals = at;
    stop = min(end, stop + <usize>length);
  }
  store<u32>(sequence, <u32>(at - literals));
  store<u32>(sequence, 0, 4);
  return at;
}

/** Whether a match one byte later is worth the literal: a byte more is, a much larger distance takes it away again. */
@inline
function isBetter(next: u32, match: u32): bool {
  if (lengthOf(next) < lengthOf(match)) return false;
  const gain = <i32>(4 * (lengthOf(next) - lengthOf(match)));
  return gain + <i32>clz(distanceOf(next)) - <i32>clz(distanceOf(match)) > 2;
}
