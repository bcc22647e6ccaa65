import { createDigester } from '#runtime/digester';
import { join } from '../../bytes/source.ts';
import type { Digester } from '../../runtime/digester.ts';
import { formatDigest } from '../../spec/digest.ts';
import { Crc64 } from './crc64.ts';
import { wholePayload } from './limits.ts';
import type { ContentKey, NamedKey, PayloadKey, PayloadSink, PayloadWriter } from './payloads.ts';

/** How a payload gets its key: what is computed from its bytes, and what that makes. */
export interface Keying<K extends PayloadKey, R> {
  update(bytes: Uint8Array): Promise<void> | void;
  /** `size` is how many bytes there were. */
  finish(size: number): Promise<Keyed<K, R>> | Keyed<K, R>;
  dispose(): void;
}

interface Keyed<K extends PayloadKey, R> {
  readonly key: K;
  readonly result: R;
}

/** One payload on its way into the sink: short ones are gathered, long ones pass through. */
export class Body<K extends PayloadKey, R> {
  readonly #sink: PayloadSink<K>;
  readonly #keying: Keying<K, R>;
  #held: Uint8Array[] = [];
  #size = 0;
  #writer: PayloadWriter<K> | undefined;

  constructor(sink: PayloadSink<K>, keying: Keying<K, R>) {
    this.#sink = sink;
    this.#keying = keying;
  }

  get size(): number {
    return this.#size;
  }

  /** A promise only where there is something to wait for, as in `finish`. */
  write(run: Uint8Array): Promise<void> | void {
    this.#size += run.length;
    const waiting = this.#keying.update(run);
    if (waiting !== undefined) return waiting.then(() => this.#pass(run));
    return this.#pass(run);
  }

  #pass(run: Uint8Array): Promise<void> | void {
    if (this.#writer !== undefined) return this.#writer.write(run);
    this.#held.push(run);
    return this.#size > wholePayload ? this.#begin() : undefined;
  }

  async #begin(): Promise<void> {
    this.#writer = await this.#sink.begin();
    for (const held of this.#held) await this.#writer.write(held);
    this.#held = [];
  }

  finish(): R | Promise<R> {
    const keyed = this.#keying.finish(this.#size);
    return keyed instanceof Promise ? keyed.then((found) => this.#keep(found)) : this.#keep(keyed);
  }

  #keep({ key, result }: Keyed<K, R>): R | Promise<R> {
    const [first] = this.#held;
    const kept =
      this.#writer === undefined
        ? this.#sink.put(key, this.#held.length === 1 && first !== undefined ? first : join(this.#held, this.#size))
        : this.#writer.commit(key);
    this.#held = [];
    return kept === undefined ? result : kept.then(() => result);
  }

  /** Gives up what was not finished. */
  async abort(reason?: unknown): Promise<void> {
    this.#keying.dispose();
    await this.#writer?.abort(reason);
  }
}

/** Keyed by the sha256 of what came. */
export class ContentKeying implements Keying<ContentKey, ContentKey> {
  readonly #digester: Digester;

  /** `size` is only a hint for the digester. */
  constructor(size: number) {
    this.#digester = createDigester('sha256', { size });
  }

  update(bytes: Uint8Array): Promise<void> | void {
    return this.#digester.update(bytes);
  }

  finish(size: number): Promise<Keyed<ContentKey, ContentKey>> | Keyed<ContentKey, ContentKey> {
    const hex = this.#digester.hex();
    return typeof hex === 'string' ? contentKeyed(hex, size) : hex.then((computed) => contentKeyed(computed, size));
  }

  dispose(): void {
    this.#digester.dispose();
  }
}

function contentKeyed(hex: string, size: number): Keyed<ContentKey, ContentKey> {
  const key = { digest: formatDigest('sha256', hex), size };
  return { key, result: key };
}

/** Keyed by a name; the result is the CRC-64. */
export class NamedKeying implements Keying<NamedKey, Uint8Array> {
  readonly #name: Uint8Array;
  readonly #crc = new Crc64();

  constructor(name: Uint8Array) {
    this.#name = name;
  }

  update(bytes: Uint8Array): void {
    this.#crc.update(bytes);
  }

  finish(size: number): Keyed<NamedKey, Uint8Array> {
    return { key: { name: this.#name, size }, result: this.#crc.sum() };
  }

  dispose(): void {}
}
