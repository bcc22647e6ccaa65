import type { RawInflater } from '../engines.ts';
import { huffmanCode } from './huffman.ts';
import type { HuffmanCode } from './huffman.ts';

/** How far back a match may reach (RFC 1951, 3.2.5). */
const windowSize = 32 * 1024;
const outputSize = 256 * 1024;
const longestMatch = 258;
const endOfBlock = 256;

const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
  12289, 16385, 24577,
];
const distanceExtra = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
/** The order in which the lengths of the code for code lengths are written. */
const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Thrown to go back to the last complete step when the input ends inside one. */
const starved = Symbol('starved');

/** A place in the input to go back to. */
interface Mark {
  at: number;
  held: number;
  heldBits: number;
}

interface Codes {
  readonly literals: HuffmanCode;
  readonly distances: HuffmanCode;
}

let fixed: Codes | undefined;

/** The code of blocks that bring none of their own (RFC 1951, 3.2.6). */
function fixedCodes(): Codes {
  if (fixed !== undefined) return fixed;
  const literals = new Uint8Array(288).fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288);
  fixed = { literals: huffmanCode(literals, 'literal'), distances: huffmanCode(new Uint8Array(32).fill(5), 'distance') };
  return fixed;
}

/** Deflate data decoded in plain JavaScript: the web's own streams do not say where the data ends. */
export class Inflater implements RawInflater {
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Bits taken from the input and not used yet, lowest first. */
  #held = 0;
  #heldBits = 0;
  #before = 0;
  #step: 'header' | 'stored' | 'codes' | 'end' = 'header';
  #lastBlock = false;
  #storedLeft = 0;
  #codes: Codes = fixedCodes();
  readonly #output = new Uint8Array(windowSize + outputSize + longestMatch);
  /** The history reaches from `#first` to `#start`, fresh output from there to `#end`. */
  #first = windowSize;
  #start = windowSize;
  #end = windowSize;

  get ended(): boolean {
    return this.#step === 'end';
  }

  get consumed(): number {
    return this.#before + this.#at - (this.#heldBits >> 3);
  }

  async *write(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    const rest = this.#input.subarray(this.#at);
    this.#before += this.#at;
    this.#at = 0;
    if (rest.length === 0) {
      this.#input = piece;
    } else {
      this.#input = new Uint8Array(rest.length + piece.length);
      this.#input.set(rest);
      this.#input.set(piece, rest.length);
    }
    while (this.#advance()) {
      if (this.#end - this.#start >= outputSize) yield this.#taken();
    }
    if (this.#end > this.#start) yield this.#taken();
  }

  async *finish(): AsyncGenerator<Uint8Array, void, void> {
    yield* this.write(new Uint8Array(0));
    if (!this.ended) throw new Error('unexpected end of deflate data');
  }

  dispose(): void {
    this.#input = new Uint8Array(0);
    this.#at = 0;
  }

  #taken(): Uint8Array {
    const bytes = this.#output.slice(this.#start, this.#end);
    const keep = Math.min(windowSize, this.#end - this.#first);
    this.#output.copyWithin(windowSize - keep, this.#end - keep, this.#end);
    this.#first = windowSize - keep;
    this.#start = windowSize;
    this.#end = windowSize;
    return bytes;
  }

  /** Decodes on until the output is full (true), or the input or the data ends (false). */
  #advance(): boolean {
    while (this.#step !== 'end') {
      const mark = { at: this.#at, held: this.#held, heldBits: this.#heldBits };
      try {
        if (this.#step === 'header') this.#header();
        else if (this.#step === 'stored') this.#stored(mark);
        else this.#symbols(mark);
      } catch (error) {
        if (error !== starved) throw error;
        this.#at = mark.at;
        this.#held = mark.held;
        this.#heldBits = mark.heldBits;
        return false;
      }
      if (this.#end - this.#start >= outputSize) return true;
    }
    return false;
  }

  #bits(count: number): number {
    while (this.#heldBits < count) {
      const byte = this.#input[this.#at];
      if (byte === undefined) throw starved;
      this.#at++;
      this.#held |= byte << this.#heldBits;
      this.#heldBits += 8;
    }
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#heldBits -= count;
    return value;
  }

  #symbol(code: HuffmanCode): number {
    while (this.#heldBits < code.bits && this.#at < this.#input.length) {
      this.#held |= (this.#input[this.#at++] ?? 0) << this.#heldBits;
      this.#heldBits += 8;
    }
    const entry = code.table[this.#held & (code.table.length - 1)] ?? 0;
    const length = entry >>> 16;
    if (length > this.#heldBits || (length === 0 && this.#heldBits < code.bits)) throw starved;
    if (length === 0) throw new Error('a code that is not in its table');
    this.#held >>>= length;
    this.#heldBits -= length;
    return entry & 0xffff;
  }

  #header(): void {
    const last = this.#bits(1) === 1;
    const type = this.#bits(2);
    if (type === 0) {
      this.#bits(this.#heldBits & 7);
      const length = this.#bits(16);
      if ((length ^ 0xffff) !== this.#bits(16)) throw new Error('a stored block whose two lengths disagree');
      this.#storedLeft = length;
      this.#step = 'stored';
    } else if (type === 1 || type === 2) {
      this.#codes = type === 1 ? fixedCodes() : this.#ownCodes();
      this.#step = 'codes';
    } else {
      throw new Error('a block of the reserved type');
    }
    this.#lastBlock = last;
  }

  #ownCodes(): Codes {
    const literalCount = this.#bits(5) + 257;
    const distanceCount = this.#bits(5) + 1;
    const codeLengthCount = this.#bits(4) + 4;
    if (literalCount > 286 || distanceCount > 30) throw new Error('more codes than there are symbols');
    const codeLengths = new Uint8Array(19);
    for (const symbol of codeLengthOrder.slice(0, codeLengthCount)) codeLengths[symbol] = this.#bits(3);
    const code = huffmanCode(codeLengths, 'code length');
    const lengths = new Uint8Array(literalCount + distanceCount);
    for (let at = 0; at < lengths.length; ) {
      const symbol = this.#symbol(code);
      if (symbol < 16) {
        lengths[at++] = symbol;
        continue;
      }
      if (symbol === 16 && at === 0) throw new Error('a repeated length with none before it');
      const value = symbol === 16 ? (lengths[at - 1] ?? 0) : 0;
      const count = symbol === 16 ? 3 + this.#bits(2) : symbol === 17 ? 3 + this.#bits(3) : 11 + this.#bits(7);
      if (at + count > lengths.length) throw new Error('more lengths than codes');
      lengths.fill(value, at, at + count);
      at += count;
    }
    if (lengths[endOfBlock] === 0) throw new Error('a block without a code for its end');
    return {
      literals: huffmanCode(lengths.subarray(0, literalCount), 'literal'),
      distances: huffmanCode(lengths.subarray(literalCount), 'distance'),
    };
  }

  /** Bytes as they are; `mark` follows, so that none is copied twice. */
  #stored(mark: Mark): void {
    const room = windowSize + outputSize - this.#end;
    // Whole bytes may still be held as bits: at most four, for which the output has room beyond its size.
    while (this.#storedLeft > 0 && this.#heldBits > 0) {
      this.#output[this.#end++] = this.#bits(8);
      this.#storedLeft--;
    }
    const count = Math.min(this.#storedLeft, Math.max(room, 0), this.#input.length - this.#at);
    this.#output.set(this.#input.subarray(this.#at, this.#at + count), this.#end);
    this.#end += count;
    this.#at += count;
    this.#storedLeft -= count;
    if (this.#storedLeft === 0) {
      this.#endBlock();
    } else if (this.#at === this.#input.length) {
      this.#set(mark);
      throw starved;
    }
  }

  /** Literals and matches; `mark` follows, so that only the step that the input ended in is done again. */
  #symbols(mark: Mark): void {
    const { literals, distances } = this.#codes;
    const output = this.#output;
    while (this.#end - this.#start < outputSize) {
      this.#set(mark);
      const symbol = this.#symbol(literals);
      if (symbol < endOfBlock) {
        output[this.#end++] = symbol;
        continue;
      }
      if (symbol === endOfBlock) {
        this.#endBlock();
        return;
      }
      const base = lengthBase[symbol - 257];
      if (base === undefined) throw new Error('a match length that is reserved');
      const length = base + this.#bits(lengthExtra[symbol - 257] ?? 0);
      const distanceSymbol = this.#symbol(distances);
      const distanceStart = distanceBase[distanceSymbol];
      if (distanceStart === undefined) throw new Error('a match distance that is reserved');
      const distance = distanceStart + this.#bits(distanceExtra[distanceSymbol] ?? 0);
      if (distance > this.#end - this.#first) throw new Error('a match from before the start of the data');
      const from = this.#end - distance;
      if (distance >= length) output.copyWithin(this.#end, from, from + length);
      else for (let index = 0; index < length; index++) output[this.#end + index] = output[from + index] ?? 0;
      this.#end += length;
    }
  }

  #set(mark: Mark): void {
    mark.at = this.#at;
    mark.held = this.#held;
    mark.heldBits = this.#heldBits;
  }

  #endBlock(): void {
    this.#step = this.#lastBlock ? 'end' : 'header';
  }
}
