import type { ByteStream } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';

/** The limit to hold to; none where it is left out. INVALID_ARGUMENT where it is no number of bytes. */
export function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return Infinity;
  if (limit >= 0 && (Number.isSafeInteger(limit) || limit === Infinity)) return limit;
  throw new OciTarError('INVALID_ARGUMENT', `the limit of decompressed bytes is ${limit}, which is no number of bytes`);
}

/** The level to use. INVALID_ARGUMENT where the codec does not have it. */
export function checkLevel(codec: string, level: number, highest: number): number {
  if (Number.isInteger(level) && level >= 1 && level <= highest) return level;
  throw new OciTarError('INVALID_ARGUMENT', `${codec} has levels 1 to ${highest}, not ${level}`);
}

/** Passes bytes on until there are more than `limit`, then throws LIMIT_EXCEEDED before the run that is too much. */
export async function* limited(bytes: ByteStream, limit: number): AsyncGenerator<Uint8Array, void, void> {
  const budget = new OutputBudget(limit);
  for await (const run of bytes) {
    budget.spend(run.length);
    yield run;
  }
}

/** What may still come out of a decompression. */
export class OutputBudget {
  readonly #limit: number;
  #spent = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Counts bytes that are about to be handed out. LIMIT_EXCEEDED where they are too many. */
  spend(count: number): void {
    this.check(count);
    this.#spent += count;
  }

  /** LIMIT_EXCEEDED where so many bytes more would be too many. */
  check(count: number): void {
    if (count > this.#limit - this.#spent) {
      throw new OciTarError('LIMIT_EXCEEDED', `decompressed, the input is larger than the limit of ${this.#limit} bytes`, {
        limit: this.#limit,
        hint: 'raise the limit if this input is to be trusted',
      });
    }
  }
}
