// The codes of a dynamic block, as their lengths: in runs, which have a Huffman code of their own (RFC 1951, 3.2.7).
import { put } from './bits';
import { makeCode } from './huffman';
import { distanceSymbols, lengthSymbols, literalSymbols } from './memory';
import { distances, endOfBlock, fewZeros, manyZeros, orderOfLengths, repeatLast, runExtra } from './symbols';

const longestLengthCode: u32 = 7;

const all = memory.data(<i32>(literalSymbols + distanceSymbols));
/** A symbol below what its extra bits say. */
const runs = memory.data(<i32>(2 * (literalSymbols + distanceSymbols)));
const symbolBits: u32 = 5;
const frequencies = memory.data(<i32>(4 * lengthSymbols));
const lengths = memory.data(<i32>lengthSymbols);
const codes = memory.data(<i32>(4 * lengthSymbols));

/** How many there are of each kind, without the zeros at the end. */
let literalCount: u32 = 0;
let distanceCount: u32 = 0;
let lengthCount: u32 = 0;
let runCount: u32 = 0;

/** Prepares them to be written; returns how many bits they will take. */
export function prepareCodeLengths(literalLengths: usize, distanceLengths: usize): u32 {
  literalCount = 286;
  while (literalCount > endOfBlock + 1 && load<u8>(literalLengths + literalCount - 1) == 0) literalCount--;
  distanceCount = distances;
  while (distanceCount > 1 && load<u8>(distanceLengths + distanceCount - 1) == 0) distanceCount--;
  memory.copy(all, literalLengths, literalCount);
  memory.copy(all + <usize>literalCount, distanceLengths, distanceCount);
  gatherRuns(literalCount + distanceCount);
  makeCode(frequencies, lengthSymbols, longestLengthCode, lengths, codes);
  lengthCount = lengthSymbols;
  while (lengthCount > 4 && load<u8>(lengths + <usize>unchecked(orderOfLengths[lengthCount - 1])) == 0) lengthCount--;
  let bits: u32 = 14 + 3 * lengthCount;
  for (let symbol: u32 = 0; symbol < lengthSymbols; symbol++) bits += load<u32>(frequencies + (symbol << 2)) * (<u32>load<u8>(lengths + symbol) + runExtra(symbol));
  return bits;
}

function gatherRuns(count: u32): void {
  memory.fill(frequencies, 0, 4 * lengthSymbols);
  runCount = 0;
  for (let at: u32 = 0; at < count; ) {
    const length = <u32>load<u8>(all + at);
    let rest: u32 = 1;
    while (at + rest < count && <u32>load<u8>(all + at + rest) == length) rest++;
    at += rest;
    if (length == 0) {
      for (; rest >= 11; rest -= min<u32>(rest, 138)) addRun(manyZeros, min<u32>(rest, 138) - 11);
      if (rest >= 3) {
        addRun(fewZeros, rest - 3);
        rest = 0;
      }
    } else {
      addRun(length, 0);
      for (rest--; rest >= 3; rest -= min<u32>(rest, 6)) addRun(repeatLast, min<u32>(rest, 6) - 3);
    }
    for (; rest > 0; rest--) addRun(length, 0);
  }
}

function addRun(symbol: u32, extra: u32): void {
  store<u16>(runs + (runCount++ << 1), <u16>(symbol | (extra << symbolBits)));
  const frequency = frequencies + (symbol << 2);
  store<u32>(frequency, load<u32>(frequency) + 1);
}

/** What was prepared. */
export function putCodeLengths(): void {
  put((literalCount - endOfBlock - 1) | ((distanceCount - 1) << 5) | ((lengthCount - 4) << 10), 14);
  for (let index: u32 = 0; index < lengthCount; index++) put(<u32>load<u8>(lengths + <usize>unchecked(orderOfLengths[index])), 3);
  for (let index: u32 = 0; index < runCount; index++) {
    const run = <u32>load<u16>(runs + (index << 1));
    const symbol = run & ((1 << symbolBits) - 1);
    const length = <u32>load<u8>(lengths + symbol);
    put(load<u32>(codes + (symbol << 2)) | ((run >> symbolBits) << length), length + runExtra(symbol));
  }
}
