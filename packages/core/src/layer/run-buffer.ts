import { runSize } from '../bytes/stream.ts';

/** Gathers pieces into runs of 64 KiB and more; large pieces pass as they are. */
export class RunBuffer {
  readonly #ready: Uint8Array[] = [];
  #buffer: Uint8Array = none;
  #filled = 0;

  /** The bytes are copied, or must not be changed afterwards where they are 64 KiB and more. */
  put(bytes: Uint8Array): void {
    let rest = bytes;
    if (bytes.length >= runSize && this.#filled < runSize && this.#filled > 0) {
      const gap = runSize - this.#filled;
      this.#copy(rest.subarray(0, gap));
      rest = rest.subarray(gap);
    }
    if (rest.length >= runSize) {
      this.#flush();
      this.#ready.push(rest);
      return;
    }
    this.#copy(rest);
  }

  zeros(count: number): void {
    this.#room(count);
    // The buffer is new, so they are there.
    this.#filled += count;
  }

  /** The next full run; undefined while there is none. */
  take(): Uint8Array | undefined {
    return this.#ready.shift();
  }

  /** Makes what is left a run of its own. */
  end(): void {
    this.#flush();
  }

  #copy(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #flush(): void {
    if (this.#filled === 0) return;
    this.#ready.push(this.#buffer.subarray(0, this.#filled));
    this.#buffer = none;
    this.#filled = 0;
  }

  /** Makes room for so many bytes, 64 KiB at most; a run belongs to its reader, so each gets a buffer of its own. */
  #room(count: number): void {
    const needed = this.#filled + count;
    if (needed <= this.#buffer.length) return;
    if (needed > largest) this.#flush();
    // Small archives do with little.
    const wider = new Uint8Array(Math.min(largest, Math.max(smallest, 4 * (this.#filled + count))));
    wider.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = wider;
  }
}

const smallest = 8 * 1024;
const largest = 2 * runSize;
const none = new Uint8Array(0);
