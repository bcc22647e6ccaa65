// Writes one block in the form that takes the fewest bits: stored, with the fixed codes, or with its own (RFC 1951, 3.2.3 to 3.2.7).
import { heldBitCount, heldBits, holdBits, outputPlace, padToByte, put, putBytes } from './bits';
import { prepareCodeLengths, putCodeLengths } from './code-lengths';
import { makeCode, numberCodes } from './huffman';
import { distanceOf, lengthOf } from './matches';
import { distanceSymbols, literalSymbols } from './memory';
import { distanceFrequencies, literalFrequencies, sequences } from './sequences';
import {
  distanceBase,
  distanceExtra,
  distances,
  distanceSlot,
  endOfBlock,
  firstLength,
  fixedDistanceLength,
  fixedLength,
  lengthBase,
  lengthExtra,
  lengthSlot,
  longestMatch,
} from './symbols';

/** Four literals and what is held fit in 64 bits. The 15 that are allowed would save 0.6 % of a block whose frequencies are made for them. */
const longestLiteralCode: u32 = 14;
const longestDistanceCode: u32 = 15;
const mostStored: u32 = 65535;

const stored: u32 = 0;
const fixed: u32 = 1;
const dynamic: u32 = 2;

const literalLengths = memory.data(<i32>literalSymbols);
const literalCodes = memory.data(<i32>(4 * literalSymbols));
const distanceLengths = memory.data(<i32>distanceSymbols);
const distanceCodes = memory.data(<i32>(4 * distanceSymbols));
/** By the length of a match: its code with the extra bits, and how many bits that is. */
const matchCodes = memory.data(<i32>(4 * (longestMatch + 1)));
const matchBits = memory.data(<i32>(longestMatch + 1));

/** The bytes from `start` to `end`, of which the sequences are. */
export function writeBlock(start: usize, end: usize, last: bool): void {
  store<u32>(literalFrequencies, 1, 4 * endOfBlock);
  makeCode(literalFrequencies, literalSymbols, longestLiteralCode, literalLengths, literalCodes);
  makeCode(distanceFrequencies, distances, longestDistanceCode, distanceLengths, distanceCodes);
  const ownBits = prepareCodeLengths(literalLengths, distanceLengths) + bitsOfSymbols(false);
  const fixedBits = bitsOfSymbols(true);
  const size = <u32>(end - start);
  const storedBits: u32 = 8 * size + 40 * (size / mostStored + 1);
  if (storedBits <= min(ownBits, fixedBits)) {
    writeStored(start, size, last);
    return;
  }
  if (fixedBits <= ownBits) {
    put(<u32>last | (fixed << 1), 3);
    useFixedCodes();
  } else {
    put(<u32>last | (dynamic << 1), 3);
    putCodeLengths();
  }
  writeSequences(start);
}

/** What the symbols of the block take, with the fixed codes or with its own. */
function bitsOfSymbols(withFixed: bool): u32 {
  let bits: u32 = 0;
  for (let symbol: u32 = 0; symbol < literalSymbols; symbol++) {
    const length = withFixed ? fixedLength(symbol) : <u32>load<u8>(literalLengths + symbol);
    const extra = symbol < firstLength ? 0 : lengthExtra(symbol - firstLength);
    bits += load<u32>(literalFrequencies + (symbol << 2)) * (length + extra);
  }
  for (let symbol: u32 = 0; symbol < distances; symbol++) {
    const length = withFixed ? fixedDistanceLength : <u32>load<u8>(distanceLengths + symbol);
    bits += load<u32>(distanceFrequencies + (symbol << 2)) * (length + distanceExtra(symbol));
  }
  return bits;
}

function writeStored(start: usize, size: u32, last: bool): void {
  let from = start;
  let rest = size;
  do {
    const part = min(rest, mostStored);
    rest -= part;
    put(<u32>(last && rest == 0) | (stored << 1), 3);
    padToByte();
    put(part | (~part << 16), 32);
    putBytes(from, part);
    from += <usize>part;
  } while (rest > 0);
}

function useFixedCodes(): void {
  for (let symbol: u32 = 0; symbol < literalSymbols; symbol++) store<u8>(literalLengths + symbol, <u8>fixedLength(symbol));
  memory.fill(distanceLengths, <u8>fixedDistanceLength, distanceSymbols);
  numberCodes(literalLengths, literalSymbols, longestLiteralCode, literalCodes);
  numberCodes(distanceLengths, distanceSymbols, longestDistanceCode, distanceCodes);
}

function prepareMatchCodes(): void {
  for (let length: u32 = 3; length <= longestMatch; length++) {
    const slot = lengthSlot(length);
    const bits = <u32>load<u8>(literalLengths + firstLength + slot);
    store<u32>(matchCodes + (length << 2), load<u32>(literalCodes + ((firstLength + slot) << 2)) | ((length - lengthBase(slot)) << bits));
    store<u8>(matchBits + length, <u8>(bits + lengthExtra(slot)));
  }
}

/** The symbols of all sequences and the end of the block: in each step up to four literals, or a match. */
function writeSequences(start: usize): void {
  prepareMatchCodes();
  let bits = heldBits();
  let count = heldBitCount();
  let place = outputPlace();
  let literal = start;
  let sequence = sequences;
  let run = load<u32>(sequence);
  while (true) {
    if (run > 0) {
      for (let some = min<u32>(run, 4); some > 0; some--) {
        const byte = <u32>load<u8>(literal++);
        bits |= <u64>load<u32>(literalCodes + (byte << 2)) << count;
        count += <u32>load<u8>(literalLengths + byte);
        run--;
      }
    } else {
      const match = load<u32>(sequence, 4);
      if (match == 0) break;
      const length = lengthOf(match);
      literal += <usize>length;
      bits |= <u64>load<u32>(matchCodes + (length << 2)) << count;
      count += <u32>load<u8>(matchBits + length);
      const distance = distanceOf(match);
      const slot = distanceSlot(distance);
      bits |= <u64>load<u32>(distanceCodes + (slot << 2)) << count;
      count += <u32>load<u8>(distanceLengths + slot);
      bits |= <u64>(distance - distanceBase(slot)) << count;
      count += distanceExtra(slot);
      sequence += 8;
      run = load<u32>(sequence);
    }
    store<u64>(place, bits);
    place += count >> 3;
    bits >>= count & 56;
    count &= 7;
  }
  holdBits(bits, count, place);
  put(load<u32>(literalCodes + (endOfBlock << 2)), <u32>load<u8>(literalLengths + endOfBlock));
}
