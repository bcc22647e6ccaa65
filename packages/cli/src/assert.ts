/**
 * The two assertions of node:assert that yargs makes, for the bundle. The real ones draw a picture of both values when they fail,
 * which yargs lets happen on each run while it looks for a version: 5 ms, with what they have to load.
 */
export function strictEqual(actual: unknown, expected: unknown, message?: string | Error): void {
  if (!Object.is(actual, expected)) throw failure(message);
}

export function notStrictEqual(actual: unknown, expected: unknown, message?: string | Error): void {
  if (Object.is(actual, expected)) throw failure(message);
}

function failure(message: string | Error | undefined): Error {
  return message instanceof Error ? message : new Error(message ?? 'an assertion does not hold');
}
