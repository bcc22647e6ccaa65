import type { OnReadOpts, Socket } from 'node:net';
import type { buildConnector } from 'undici';

/** What Node reads at a time of its own accord. */
const usualRead = 64 * 1024;

/**
 * What is read at a time where much comes. A read costs some 40 us on its way through undici and our streams, whatever its size: with
 * this a pull of 450 MB over loopback takes three quarters of the time.
 */
const largeRead = 1024 * 1024;

/** What all connections together read at a time where much comes over many: larger pieces than that gain nothing there, and take memory. */
const togetherRead = 3 * largeRead;

/** Less than this is copied: whoever keeps a manifest must not keep the memory around it. */
const smallRead = 32 * 1024;

/** Connects as undici does, but reads what comes without TLS in large pieces. (TLS hands out its records, of 16 KiB at most.) */
export function connector(build: typeof buildConnector, options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = build(options);
  const busy = new Set<LargeReads>();
  return (to, callback) => {
    if (to.protocol === 'https:') {
      connect(to, callback);
      return;
    }
    const reads = new LargeReads(busy);
    build({ ...options, onread: reads.options })(to, (...outcome) => {
      const [error, socket] = outcome;
      // Nothing is read before the callback has been called. (Of a failure undici hands on no socket at all, whatever its types say.)
      if (error === null && socket !== null) reads.into(socket);
      callback(...outcome);
    });
  };
}

/** Gives a socket memory to read into, and what it read. Each part of the memory is given once. */
class LargeReads {
  readonly options: OnReadOpts = { buffer: () => this.#room(), callback: (count, memory) => this.#take(count, memory) };
  #socket: Socket | undefined;
  #memory = Buffer.alloc(0);
  #used = 0;
  /** Those of all connections over which much comes. */
  readonly #busy: Set<LargeReads>;

  constructor(busy: Set<LargeReads>) {
    this.#busy = busy;
  }

  into(socket: Socket): void {
    this.#socket = socket;
    socket.once('close', () => this.#busy.delete(this));
  }

  #room(): Uint8Array {
    if (this.#memory.byteLength - this.#used < usualRead) {
      this.#memory = Buffer.allocUnsafeSlow(this.#size());
      this.#used = 0;
    }
    return this.#memory.subarray(this.#used);
  }

  #size(): number {
    if (!this.#busy.has(this)) return usualRead;
    return Math.max(usualRead, Math.min(largeRead, Math.floor(togetherRead / this.#busy.size)));
  }

  /** False where the socket is to pause. */
  #take(count: number, memory: Uint8Array): boolean {
    if (count < usualRead) this.#busy.delete(this);
    else this.#busy.add(this);
    const read = memory.subarray(0, count);
    if (count < smallRead) return this.#socket?.push(Buffer.from(read)) ?? false;
    this.#used += count;
    return this.#socket?.push(read) ?? false;
  }
}
