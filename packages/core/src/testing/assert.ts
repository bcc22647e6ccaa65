import { isOciTarError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** The few assertions of the suites here: they run under any test runner, or none. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function assertEqual(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  assert(got === wanted, `${what}: got ${got}, expected ${wanted}`);
}

export function assertBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assertEqual(actual.byteLength, expected.byteLength, `length of ${what}`);
  const at = actual.findIndex((byte, position) => byte !== expected[position]);
  assert(at === -1, `${what} differs from what was written at byte ${at}`);
}

/** Waits for a failure, and checks that it is an OciTarError of one of these codes where some are given. */
export async function assertRejects(work: () => Promise<unknown>, what: string, ...codes: readonly ErrorCode[]): Promise<void> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    if (codes.length === 0 || codes.some((code) => isOciTarError(error, code))) return;
    throw new Error(`${what}: it should fail with ${codes.join(' or ')}, but: ${String(error)}`, { cause: error });
  }
  throw new Error(`${what}: it should fail, but resolved to ${JSON.stringify(result)}`);
}

/** The same bytes for the same seed, without a pattern that a shifted or repeated chunk could hide behind (xorshift32). */
export function noise(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}

/** Pieces of the given sizes in turn, over and over. */
export function* pieces(bytes: Uint8Array, ...sizes: readonly number[]): Generator<Uint8Array> {
  let start = 0;
  for (let i = 0; start < bytes.byteLength; i++) {
    const end = start + (sizes[i % sizes.length] ?? bytes.byteLength);
    yield bytes.slice(start, end);
    start = end;
  }
}
