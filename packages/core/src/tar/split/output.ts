import { runSize } from '../../bytes/stream.ts';
import { encodeText } from '../text.ts';
import { base64Length, encodeBase64 } from './base64.ts';

const shortText = 128;

/** Gathers small pieces into runs that are worth a hand-over. */
export class Output {
  readonly #capacity: number;
  #buffer: Uint8Array;
  #length = 0;

  /** `capacity`: bytes that are set aside for a run, which grows where a piece does not fit. */
  constructor(capacity = 2 * runSize) {
    this.#capacity = capacity;
    this.#buffer = new Uint8Array(capacity);
  }

  /** Whether there is a whole run to take. */
  get isFull(): boolean {
    return this.#length >= runSize;
  }

  get length(): number {
    return this.#length;
  }

  /** Whether so many bytes more need no larger buffer. */
  fits(more: number): boolean {
    return this.#length + more <= this.#buffer.length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** As UTF-8. Short ASCII is written as it is read: an encoder takes three times as long for it. */
  text(text: string): void {
    const { length } = text;
    if (length > shortText) return this.bytes(encodeText(text));
    this.#reserve(length);
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return this.bytes(encodeText(text));
      this.#buffer[this.#length + i] = code;
    }
    this.#length += length;
  }

  /** Room for `size` bytes after what was gathered; they count after `advance`, and must be written at once. */
  room(size: number): Uint8Array {
    this.#reserve(size);
    return this.#buffer.subarray(this.#length, this.#length + size);
  }

  advance(size: number): void {
    this.#length += size;
  }

  base64(bytes: Uint8Array): void {
    const length = base64Length(bytes.length);
    this.#reserve(length);
    encodeBase64(bytes, this.#buffer, this.#length);
    this.#length += length;
  }

  /** A number up to 2^53-1 in LEB128: seven bits a byte, the lowest first, the top bit set on all but the last. */
  varint(value: number): void {
    let left = value;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) this.byte((left % 0x80) | 0x80);
    this.byte(left);
  }

  /** All that was gathered; the buffer is the caller's. */
  take(): Uint8Array {
    const run = this.drain();
    if (run.length < this.#capacity / 8) return run.slice();
    this.#buffer = new Uint8Array(this.#capacity);
    return run;
  }

  /** The same, but good only until more is gathered. */
  drain(): Uint8Array {
    const run = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return run;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
