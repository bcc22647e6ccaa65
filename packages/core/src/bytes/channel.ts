import type { ByteSink, ByteStream } from './types.ts';

/**
 * A sink that hands what is written through `transform` and on to `target`: what compresses or encrypts is written as a
 * function from stream to stream, and this turns it round. A write resolves when the transform has taken the chunk.
 */
export function transformedSink(target: ByteSink, transform: (bytes: ByteStream) => ByteStream): ByteSink {
  const channel = new Channel();
  const passedOn = (async () => {
    for await (const chunk of transform(channel.stream())) await target.write(chunk);
  })();
  // The failure reaches the next write, and commit; until then it must not count as unhandled.
  passedOn.catch((error: unknown) => channel.stop(error));
  return {
    write: (chunk) => channel.write(chunk),
    async commit() {
      await channel.end();
      await passedOn;
      await target.commit();
    },
    async abort(reason) {
      channel.stop(reason);
      await passedOn.catch(() => {});
      await target.abort(reason);
    },
  };
}

interface Offer {
  readonly chunk: Uint8Array | undefined;
  readonly taken: () => void;
  readonly refused: (reason: unknown) => void;
}

/** Holds one chunk at a time. */
class Channel {
  #offer: Offer | undefined;
  #wake: (() => void) | undefined;
  #stopped: { readonly reason: unknown } | undefined;

  write(chunk: Uint8Array): Promise<void> {
    return chunk.byteLength === 0 ? Promise.resolve() : this.#put(chunk);
  }

  end(): Promise<void> {
    return this.#put(undefined);
  }

  stop(reason: unknown): void {
    this.#stopped ??= { reason };
    this.#offer?.refused(this.#stopped.reason);
    this.#wake?.();
  }

  async *stream(): ByteStream {
    for (;;) {
      while (this.#offer === undefined && this.#stopped === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
      if (this.#stopped !== undefined) throw this.#stopped.reason;
      const offer = this.#offer;
      this.#offer = undefined;
      offer?.taken();
      if (offer?.chunk === undefined) return;
      yield offer.chunk;
    }
  }

  #put(chunk: Uint8Array | undefined): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped.reason);
    return new Promise((resolve, reject) => {
      this.#offer = { chunk, taken: resolve, refused: reject };
      this.#wake?.();
    });
  }
}
