import { OciTarError } from '../errors.ts';
import type { ByteStream } from './types.ts';

/** The most that `peek` and `take` hand out at once, in bytes; longer reads go through `run` or `stream`. */
export const exactReadLimit = 16 * 1024 * 1024;

/** Neighbouring runs shorter than this are joined before `run` hands them on. */
const smallRun = 16 * 1024;

const nothing = new Uint8Array(0);

/**
 * Exact reads over a stream: look at, take or skip a number of bytes, whatever the runs that they arrive in.
 * One call at a time. What was not read stays for the next call; whoever made the reader closes it.
 */
export class ByteReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were read already. */
  #used = 0;
  #buffered = 0;
  #offset: number;
  #ended = false;

  /** `offset` is the position of the stream's first byte in whatever the caller counts. */
  constructor(stream: ByteStream, offset = 0) {
    this.#iterator = stream[Symbol.asyncIterator]();
    this.#offset = offset;
  }

  /** Position of the next byte. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * The next `n` bytes without reading them; fewer only where the stream ends.
   * A promise only when they have not arrived yet. `n` is at most `exactReadLimit` (INVALID_ARGUMENT).
   */
  peek(n: number): Uint8Array | Promise<Uint8Array> {
    checkLength(n);
    return this.#buffered >= n || this.#ended ? this.#view(n) : this.#fillAndView(n);
  }

  /** Reads exactly `n` bytes. SIZE_MISMATCH where the stream ends before; then nothing is read. Limited like `peek`. */
  async take(n: number): Promise<Uint8Array> {
    const bytes = await this.peek(n);
    if (bytes.length < n) throw endedEarly(this.#offset, n, bytes.length);
    this.#advance(n);
    return bytes;
  }

  /** Reads the next run of 1 to `max` bytes, mostly as it came; undefined where the stream ends. A promise only when it has not arrived yet. */
  run(max: number): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    if (max <= 0) return nothing;
    const enough = Math.min(max, smallRun);
    return this.#buffered >= enough || this.#ended ? this.#takeRun(max, enough) : this.#fillAndRun(max, enough);
  }

  /** Reads exactly `n` bytes as a stream of runs. SIZE_MISMATCH where the input ends before. */
  async *stream(n: number): AsyncGenerator<Uint8Array, void, void> {
    let left = n;
    while (left > 0) {
      const bytes = await this.run(left);
      if (bytes === undefined) throw endedEarly(this.#offset, left, 0);
      left -= bytes.length;
      yield bytes;
    }
  }

  /**
   * Reads up to `n` bytes and drops them. Returns how many there were: fewer than `n` only where the stream ends. A promise only
   * when they have not arrived yet.
   */
  skip(n: number): number | Promise<number> {
    if (n > this.#buffered) return this.#skipFar(n);
    if (n > 0) this.#advance(n);
    return Math.max(0, n);
  }

  /** Drops `n` bytes that `peek` has shown. INVALID_ARGUMENT for more than that. */
  drop(n: number): void {
    if (n > this.#buffered) throw new OciTarError('INVALID_ARGUMENT', `${n} bytes cannot be dropped: only ${this.#buffered} have arrived`);
    this.#advance(n);
  }

  /** Gives the rest of the stream up. Harmless when it has ended. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#iterator.return?.();
  }

  async #fillAndRun(max: number, enough: number): Promise<Uint8Array | undefined> {
    while (this.#buffered < enough && !this.#ended) await this.#pull();
    return this.#takeRun(max, enough);
  }

  #takeRun(max: number, enough: number): Uint8Array | undefined {
    if (this.#buffered === 0) return undefined;
    const last = this.#chunks.at(-1)?.length ?? 0;
    // A large run that came after small ones is not copied to join them; it is the next call's.
    const ready = this.#chunks.length > 1 && last >= smallRun ? this.#buffered - last : this.#buffered;
    const first = (this.#chunks[0]?.length ?? 0) - this.#used;
    const bytes = this.#view(Math.min(max, first >= enough ? first : ready));
    this.#advance(bytes.length);
    return bytes;
  }

  async #skipFar(n: number): Promise<number> {
    let left = n;
    while (left > 0) {
      if (this.#buffered === 0) {
        if (this.#ended) break;
        await this.#pull();
      }
      const step = Math.min(left, this.#buffered);
      this.#advance(step);
      left -= step;
    }
    return n - left;
  }

  async #fillAndView(n: number): Promise<Uint8Array> {
    while (this.#buffered < n && !this.#ended) await this.#pull();
    return this.#view(n);
  }

  async #pull(): Promise<void> {
    let next: IteratorResult<Uint8Array>;
    try {
      next = await this.#iterator.next();
    } catch (error) {
      this.#ended = true;
      throw error;
    }
    if (next.done === true) {
      this.#ended = true;
    } else if (next.value.length > 0) {
      this.#chunks.push(plainArray(next.value));
      this.#buffered += next.value.length;
    }
  }

  /** Up to `n` buffered bytes: a view where one chunk holds them, else a copy. */
  #view(n: number): Uint8Array {
    const size = Math.min(n, this.#buffered);
    const first = this.#chunks[0];
    if (first === undefined || size === 0) return nothing;
    const end = this.#used + size;
    if (first.length >= end) return this.#used === 0 && first.length === size ? first : first.subarray(this.#used, end);
    const joined = new Uint8Array(size);
    let filled = 0;
    let start = this.#used;
    for (const chunk of this.#chunks) {
      const part = chunk.subarray(start, start + size - filled);
      joined.set(part, filled);
      filled += part.length;
      start = 0;
      if (filled === size) break;
    }
    return joined;
  }

  /** Forgets `n` buffered bytes. */
  #advance(n: number): void {
    this.#offset += n;
    this.#buffered -= n;
    let used = this.#used + n;
    let done = 0;
    for (const chunk of this.#chunks) {
      if (used < chunk.length) break;
      used -= chunk.length;
      done++;
    }
    if (done === 1) this.#chunks.shift();
    else if (done > 1) this.#chunks.splice(0, done);
    this.#used = used;
  }
}

/** The same bytes as no subclass of Uint8Array, whose views take three times as long to make. */
export function plainArray(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function checkLength(n: number): void {
  if (Number.isInteger(n) && n >= 0 && n <= exactReadLimit) return;
  throw new OciTarError('INVALID_ARGUMENT', `an exact read is of 0 to ${exactReadLimit} bytes, not ${n}`, {
    limit: exactReadLimit,
  });
}

function endedEarly(offset: number, expected: number, actual: number): OciTarError {
  const end = offset + actual;
  const message = `the input ends at byte ${end}, ${expected - actual} bytes short`;
  return new OciTarError('SIZE_MISMATCH', message, { offset: end, expected, actual });
}
