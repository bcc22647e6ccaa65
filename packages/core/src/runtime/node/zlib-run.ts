import type { Transform } from 'node:stream';

/**
 * A transform of node:zlib, driven from outside: one piece at a time goes in, what comes of it goes out.
 * Nothing is read ahead of the caller, and `dispose` frees the native handle at once.
 */
export class ZlibRun {
  readonly #transform: Transform & { readonly bytesWritten: number };
  readonly #endsItself: boolean;
  #failure: { readonly error: unknown } | undefined;
  #ended = false;
  #wake: () => void = () => {};

  /** `endsItself`: the input says where it ends (an inflater's does), and the transform leaves what follows. */
  constructor(transform: Transform & { readonly bytesWritten: number }, endsItself = false) {
    this.#transform = transform;
    this.#endsItself = endsItself;
    transform.on('readable', () => this.#wake());
    transform.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    transform.on('error', (error) => {
      this.#failure ??= { error };
      this.#wake();
    });
  }

  /** Input bytes used so far. */
  get consumed(): number {
    return this.#transform.bytesWritten;
  }

  /** The format's own end was reached; further input is not taken. */
  get ended(): boolean {
    return this.#ended;
  }

  async *write(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
    if (piece.length === 0) return;
    const before = this.consumed;
    yield* this.#step((done) => this.#transform.write(piece, done));
    // The event that says so comes later.
    if (this.#endsItself && this.consumed - before < piece.length) this.#ended = true;
  }

  /** Runs a flush of this kind, so that all input so far is in the output. */
  async *flush(kind: number): AsyncGenerator<Uint8Array, void, void> {
    const transform = this.#transform;
    if (!('flush' in transform) || typeof transform.flush !== 'function') return;
    const flush = transform.flush.bind(transform, kind);
    yield* this.#step((done) => flush(done));
  }

  async *finish(): AsyncGenerator<Uint8Array, void, void> {
    this.#transform.end();
    yield* this.#outputs(() => false);
  }

  dispose(): void {
    this.#transform.destroy();
  }

  async *#step(start: (done: () => void) => void): AsyncGenerator<Uint8Array, void, void> {
    let finished = false;
    start(() => {
      finished = true;
      this.#wake();
    });
    yield* this.#outputs(() => finished);
  }

  async *#outputs(finished: () => boolean): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const output: unknown = this.#transform.read();
      if (output instanceof Uint8Array) {
        yield output;
      } else if (finished() || this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/**
 * Compresses a stream with one run: while a piece is worked on in zlib's thread, the next one is fetched. Pieces are gathered up to
 * `pieceSize` bytes: after each one the thread waits until this one has time for it.
 */
export async function* compressWith(
  run: ZlibRun,
  bytes: AsyncIterable<Uint8Array>,
  finish: () => AsyncIterable<Uint8Array>,
  pieceSize = 0,
): AsyncGenerator<Uint8Array, void, void> {
  const iterator = bytes[Symbol.asyncIterator]();
  let exhausted = false;
  const fetch = async (): Promise<Uint8Array | undefined> => {
    const parts: Uint8Array[] = [];
    try {
      for (let size = 0; !exhausted && (parts.length === 0 || size < pieceSize); ) {
        const next = await iterator.next();
        exhausted = next.done === true;
        if (next.done === true) break;
        parts.push(next.value);
        size += next.value.length;
      }
    } catch (error) {
      exhausted = true;
      throw error;
    }
    return parts.length > 1 ? Buffer.concat(parts) : parts[0];
  };
  try {
    let piece = await fetch();
    while (piece !== undefined) {
      const next = fetch();
      // Its failure is thrown by the `await`s below, which may come later than the failure.
      next.catch(() => {});
      for await (const output of run.write(piece)) {
        // Nothing is left under way while the caller has its turn.
        await next;
        yield output;
      }
      piece = await next;
    }
    yield* finish();
  } finally {
    run.dispose();
    if (!exhausted) await iterator.return?.();
  }
}
