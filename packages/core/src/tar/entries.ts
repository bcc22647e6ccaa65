import { OciTarError } from '../errors.ts';
import type { ByteStream } from '../bytes/types.ts';
import type { TarEntry } from './entry.ts';
import { tokens } from './tokens.ts';
import type { TarToken } from './tokens.ts';

/** An entry with its body, which can be read once, until the next entry is asked for. */
export interface TarEntryWithData extends TarEntry {
  readonly data: ByteStream;
}

export interface EntriesOptions {
  /** Bytes that one entry's headers may take together: 1 MiB by default. LIMIT_EXCEEDED. */
  readonly headerLimit?: number;
  /** As in `tokens`: true by default, false for layers. */
  readonly requireEnd?: boolean;
}

/**
 * The entries of an archive in their order. A body that was not read, or not to its end, is skipped when the next
 * entry is asked for. Reading goes on after the end marker to the end of the input, so that the input can be
 * digested on its way. INVALID_TAR as in `tokens`.
 */
export async function* entries(
  stream: ByteStream,
  options: EntriesOptions = {},
): AsyncGenerator<TarEntryWithData, void, void> {
  const source = tokens(stream, options);
  let current: Body | undefined;
  try {
    // By hand, since a body pulls from the same tokens while this loop waits.
    for (let step = await source.next(); step.done !== true; ) {
      if (step.value.kind !== 'header') {
        step = await source.next();
        continue;
      }
      current = new Body(source, step.value.entry.path);
      yield { ...step.value.entry, data: current };
      step = await current.finish();
    }
  } finally {
    current?.leave();
    await source.return();
  }
}

type Step = IteratorResult<TarToken, void>;

class Body implements ByteStream {
  readonly #source: AsyncGenerator<TarToken, void, void>;
  readonly #path: string;
  #state: 'fresh' | 'open' | 'over' = 'fresh';
  /** The first token after the body, when that was read already. */
  #after: Step | undefined;

  constructor(source: AsyncGenerator<TarToken, void, void>, path: string) {
    this.#source = source;
    this.#path = path;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    return this.#runs();
  }

  /** From here on, whoever still reads the body gets an error: it must not look as if it were shorter. */
  leave(): void {
    this.#state = 'over';
  }

  /** Skips what is left; returns the first token after the body. */
  async finish(): Promise<Step> {
    this.leave();
    while (this.#after === undefined) await this.#next();
    return this.#after;
  }

  async *#runs(): AsyncGenerator<Uint8Array, void, void> {
    if (this.#state !== 'fresh') {
      const why = this.#state === 'open' ? 'was read already' : 'was skipped when the next entry was asked for';
      throw new OciTarError('INVALID_ARGUMENT', `the body of ${JSON.stringify(this.#path)} ${why}`, { subject: this.#path });
    }
    this.#state = 'open';
    while (this.#after === undefined) {
      const run = await this.#next();
      if (run !== undefined) yield run;
      if (this.#isOver()) {
        throw new OciTarError('INVALID_ARGUMENT', `the body of ${JSON.stringify(this.#path)} was left before its end`, {
          subject: this.#path,
        });
      }
    }
  }

  // A method, since the state changes while the generator above waits, which the compiler does not see.
  #isOver(): boolean {
    return this.#state === 'over';
  }

  async #next(): Promise<Uint8Array | undefined> {
    const step = await this.#source.next();
    if (step.done !== true && step.value.kind === 'data') return step.value.bytes;
    this.#after = step;
    return undefined;
  }
}
