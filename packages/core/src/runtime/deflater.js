import { deflateModule } from './deflate-module.js';

/**
 * What the module exports; numbers are addresses in its memory.
 *
 * @typedef {object} DeflateExports
 * @property {{ readonly buffer: ArrayBuffer }} memory
 * @property {{ readonly value: number }} segmentAddress
 * @property {{ readonly value: number }} segmentSize
 * @property {{ readonly value: number }} outputAddress
 * @property {(level: number) => void} start
 * @property {(length: number, last: boolean) => number} deflate
 */

/**
 * Deflate (RFC 1951) of whole buffers, one at a time, in 2.6 MB of memory. Its results depend on nothing but the bytes and the level: not on the platform's zlib, whose
 * versions differ, nor on what was compressed before. The module is our own; its source is `packages/core/deflate`.
 */
export class Deflater {
  /** @type {DeflateExports} */
  #module;
  #segment;
  #output;

  constructor() {
    this.#module = new WebAssembly.Instance(compiled()).exports;
    const { memory, segmentAddress, segmentSize, outputAddress } = this.#module;
    this.#segment = new Uint8Array(memory.buffer, segmentAddress.value, segmentSize.value);
    this.#output = new Uint8Array(memory.buffer, outputAddress.value);
  }

  /**
   * The deflate data of `bytes`, in pieces that are good until the next one is asked for; a piece is made of at most 1 MiB. Another buffer may begin
   * only when all pieces were taken or are given up.
   *
   * @param {Uint8Array} bytes
   * @param {number} level 1 (fastest) to 9 (smallest)
   */
  *deflate(bytes, level) {
    this.#module.start(level);
    let at = 0;
    do {
      const part = bytes.subarray(at, at + this.#segment.length);
      at += part.length;
      this.#segment.set(part);
      yield this.#output.subarray(0, this.#module.deflate(part.length, at >= bytes.length));
    } while (at < bytes.length);
  }
}

/** What deflate data of so many bytes come to at the most: stored blocks, each of 12,288 bytes or more but for the last of each mebibyte. @param {number} length */
export function longestDeflated(length) {
  return length + 5 * Math.ceil(length / 8192) + 64;
}

/** @type {object | undefined} */
let module;

function compiled() {
  module ??= new WebAssembly.Module(Uint8Array.from(atob(deflateModule), (character) => character.charCodeAt(0)));
  return module;
}
