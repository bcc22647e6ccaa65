import type { ByteReader } from '../../bytes/reader.ts';
import { join } from '../../bytes/source.ts';
import { overLimit } from './limits.ts';

export interface Line {
  /** Without its newline; good until the next line is asked for. */
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** The lines of a text, the last one with or without its newline. LIMIT_EXCEEDED for one of more than `limit` bytes. */
export class Lines {
  readonly #reader: ByteReader;
  readonly #limit: number;
  #run: Uint8Array = nothing;
  /** Where the next line starts in the run. */
  #start = 0;
  /** The start of a line whose end has not arrived. */
  #held: Uint8Array[] = [];
  #size = 0;
  #offset: number;

  constructor(reader: ByteReader, limit: number) {
    this.#reader = reader;
    this.#limit = limit;
    this.#offset = reader.offset;
  }

  /** Undefined at the end. A promise only where the line has not arrived. One call at a time. */
  next(): Line | undefined | Promise<Line | undefined> {
    const end = this.#run.indexOf(0x0a, this.#start);
    return end < 0 ? this.#arriving() : this.#line(end);
  }

  #line(end: number): Line {
    const size = this.#size + end - this.#start;
    if (size > this.#limit) throw overLimit('a line has a number of bytes that is', this.#limit, this.#offset);
    const last = this.#run.subarray(this.#start, end);
    const line = { bytes: this.#held.length === 0 ? last : join([...this.#held, last], size), offset: this.#offset };
    this.#start = end + 1;
    this.#offset += size + 1;
    this.#held = [];
    this.#size = 0;
    return line;
  }

  async #arriving(): Promise<Line | undefined> {
    for (;;) {
      if (this.#start < this.#run.length) {
        this.#held.push(this.#run.subarray(this.#start));
        this.#size += this.#run.length - this.#start;
        if (this.#size > this.#limit) throw overLimit('a line has a number of bytes that is', this.#limit, this.#offset);
      }
      const run = await this.#reader.run(Number.MAX_SAFE_INTEGER);
      this.#run = run ?? nothing;
      this.#start = 0;
      const end = this.#run.indexOf(0x0a);
      if (end >= 0 || (run === undefined && this.#size > 0)) return this.#line(Math.max(end, 0));
      if (run === undefined) return undefined;
    }
  }
}

const nothing = new Uint8Array(0);
