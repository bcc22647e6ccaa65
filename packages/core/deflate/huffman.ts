// Huffman codes of limited length, in the canonical order of RFC 1951, 3.2.2.
import { literalSymbols } from './memory';

/** The longest code that deflate has, which the symbols of literals and distances may have. */
const longestCode: u32 = 15;

/** A key is a symbol below its frequency. */
const symbolBits: u32 = 9;
const symbolMask: u32 = (1 << symbolBits) - 1;

const keys = memory.data(<i32>(4 * literalSymbols));
const sortedKeys = memory.data(<i32>(4 * literalSymbols));
const buckets = memory.data(4 * 256);
/** Of each node of the tree, leaves first: its weight, later its depth; and which node is above it. */
const nodes = memory.data(<i32>(8 * literalSymbols));
const parents = memory.data(<i32>(4 * literalSymbols));
/** By code length: how many there are, and the next code. */
const counts = memory.data(<i32>(4 * (longestCode + 1)));
const nextCodes = memory.data(<i32>(4 * (longestCode + 1)));

@inline
function at(table: usize, index: u32): usize {
  return table + <usize>(index << 2);
}

/**
 * Lengths (a byte each) and codes (a word each, reversed, as they are written) of symbols with these frequencies, each below 65,536; of at most `longest` bits.
 * At least two symbols get a code, since some decoders refuse a code that is not complete.
 */
export function makeCode(frequencies: usize, symbols: u32, longest: u32, lengths: usize, codes: usize): void {
  memory.fill(lengths, 0, symbols);
  const used = collect(frequencies, symbols);
  sortBy(keys, sortedKeys, used, symbolBits);
  sortBy(sortedKeys, keys, used, symbolBits + 8);
  buildTree(used);
  countLengths(used, longest);
  // The rarest get the longest.
  let key: u32 = 0;
  for (let length = longest; length > 0; length--) {
    for (let count = load<u32>(at(counts, length)); count > 0; count--) store<u8>(lengths + (load<u32>(at(keys, key++)) & symbolMask), <u8>length);
  }
  numberCodes(lengths, symbols, longest, codes);
}

/** The codes that follow from the lengths. */
export function numberCodes(lengths: usize, symbols: u32, longest: u32, codes: usize): void {
  memory.fill(counts, 0, 4 * (longestCode + 1));
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const count = at(counts, <u32>load<u8>(lengths + symbol));
    store<u32>(count, load<u32>(count) + 1);
  }
  store<u32>(counts, 0);
  let code: u32 = 0;
  for (let length: u32 = 1; length <= longest; length++) {
    code = (code + load<u32>(at(counts, length - 1))) << 1;
    store<u32>(at(nextCodes, length), code);
  }
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const length = <u32>load<u8>(lengths + symbol);
    if (length == 0) continue;
    const next = load<u32>(at(nextCodes, length));
    store<u32>(at(nextCodes, length), next + 1);
    store<u32>(at(codes, symbol), reversed(next, length));
  }
}

/** The keys of the symbols that occur, and of the first others where they are fewer than two. */
function collect(frequencies: usize, symbols: u32): u32 {
  let used: u32 = 0;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const frequency = load<u32>(at(frequencies, symbol));
    if (frequency != 0) store<u32>(at(keys, used++), (frequency << symbolBits) | symbol);
  }
  for (let symbol: u32 = 0; used < 2; symbol++) {
    if (load<u32>(at(frequencies, symbol)) == 0) store<u32>(at(keys, used++), symbol);
  }
  return used;
}

/** By eight bits of the key; those that are equal in them stay in their order. */
function sortBy(from: usize, to: usize, count: u32, shift: u32): void {
  memory.fill(buckets, 0, 4 * 256);
  for (let index: u32 = 0; index < count; index++) {
    const bucket = at(buckets, (load<u32>(at(from, index)) >> shift) & 255);
    store<u32>(bucket, load<u32>(bucket) + 1);
  }
  let before: u32 = 0;
  for (let value: u32 = 0; value < 256; value++) {
    const bucket = at(buckets, value);
    const size = load<u32>(bucket);
    store<u32>(bucket, before);
    before += size;
  }
  for (let index: u32 = 0; index < count; index++) {
    const key = load<u32>(at(from, index));
    const bucket = at(buckets, (key >> shift) & 255);
    const place = load<u32>(bucket);
    store<u32>(bucket, place + 1);
    store<u32>(at(to, place), key);
  }
}

/** The two lightest nodes get one above them, until there is one: leaves and what was made come each in order of weight. */
function buildTree(leaves: u32): void {
  for (let leaf: u32 = 0; leaf < leaves; leaf++) store<u32>(at(nodes, leaf), load<u32>(at(keys, leaf)) >> symbolBits);
  let leaf: u32 = 0;
  let made: u32 = leaves;
  for (let node = leaves, root: u32 = 2 * leaves - 2; node <= root; node++) {
    let weight: u32 = 0;
    for (let child = 0; child < 2; child++) {
      const takesLeaf = leaf < leaves && (made == node || load<u32>(at(nodes, leaf)) <= load<u32>(at(nodes, made)));
      const taken = takesLeaf ? leaf++ : made++;
      weight += load<u32>(at(nodes, taken));
      store<u16>(parents + (taken << 1), <u16>node);
    }
    store<u32>(at(nodes, node), weight);
  }
}

/** How many codes of each length there are. Where the tree is deeper than `longest`, leaves from further up go down until it is complete again. */
function countLengths(leaves: u32, longest: u32): void {
  memory.fill(counts, 0, 4 * (longestCode + 1));
  const root: u32 = 2 * leaves - 2;
  store<u32>(at(nodes, root), 0);
  // In units of the longest code; a complete code takes 2^longest of them.
  let taken: u32 = 0;
  for (let node = root; node-- > 0; ) {
    const depth = load<u32>(at(nodes, <u32>load<u16>(parents + (node << 1)))) + 1;
    store<u32>(at(nodes, node), depth);
    if (node >= leaves) continue;
    const length = min(depth, longest);
    const count = at(counts, length);
    store<u32>(count, load<u32>(count) + 1);
    taken += <u32>1 << (longest - length);
  }
  for (let over = taken - (<u32>1 << longest); over > 0; over--) {
    let length = longest - 1;
    while (load<u32>(at(counts, length)) == 0) length--;
    store<u32>(at(counts, length), load<u32>(at(counts, length)) - 1);
    store<u32>(at(counts, length + 1), load<u32>(at(counts, length + 1)) + 2);
    store<u32>(at(counts, longest), load<u32>(at(counts, longest)) - 1);
  }
}

@inline
function reversed(code: u32, length: u32): u32 {
  let bits = ((code & 0x5555) << 1) | ((code >> 1) & 0x5555);
  bits = ((bits & 0x3333) << 2) | ((bits >> 2) & 0x3333);
  bits = ((bits & 0x0f0f) << 4) | ((bits >> 4) & 0x0f0f);
  bits = ((bits & 0x00ff) << 8) | (bits >> 8);
  return bits >> (16 - length);
}
