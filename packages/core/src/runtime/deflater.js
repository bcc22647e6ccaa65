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
 * Deflate (RFC 1951) of one buffer or stream after the other, in 2.6 MB of memory. Its results depend on nothing but the bytes and the level: not on the platform's zlib, whose
 * versions differ, nor on what was compressed before. The module is our own; its source is `packages/core/deflate`.
 */
export class Deflater {
  /** @type {DeflateExports} */
  #module;
  #segment;
  #output;
  #filled = 0;

  constructor() {
    this.#module = new WebAssembly.Instance(compiled()).exports;
    const { memory, segmentAddress, segmentSize, outputAddress } = this.#module;
    this.#segment = new Uint8Array(memory.buffer, segmentAddress.value, segmentSize.value);
    this.#output = new Uint8Array(memory.buffer, outputAddress.value);
  }

  /** Begins anew, whatever came before. @param {number} level 1 (fastest) to 9 (smallest) */
  start(level) {
    this.#module.start(level);
    this.#filled = 0;
  }

  /** Takes bytes until there are 1 MiB of them to be compressed; returns how many were taken. @param {Uint8Array} bytes */
  write(bytes) {
    const part = bytes.subarray(0, this.#segment.length - this.#filled);
    this.#segment.set(part, this.#filled);
    this.#filled += part.length;
    return part.length;
  }

  /**
   * Compresses what was taken; good until the next call. The result does not depend on how the bytes were cut if it is called when 1 MiB are there, and at the end.
   *
   * @param {boolean} last whether the deflate data end with it
   */
  compress(last) {
    const size = this.#module.deflate(this.#filled, last);
    this.#filled = 0;
    return this.#output.subarray(0, size);
  }

  /**
   * The deflate data of `bytes`, in pieces that are good until the next one is asked for; a piece is made of at most 1 MiB. Another buffer may begin
   * only when all pieces were taken or are given up.
   *
   * @param {Uint8Array} bytes
   * @param {number} level
   */
  *deflate(bytes, level) {
    this.start(level);
    let at = 0;
    do {
      at += this.write(bytes.subarray(at));
      yield this.compress(at === bytes.length);
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
