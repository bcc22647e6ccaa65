import { isOciTarError } from '../../packages/core/src/errors.ts';
import type { OciTarError } from '../../packages/core/src/errors.ts';

/** The error of ours that the work throws; anything else, or nothing, fails the test. */
export function failure(work: () => unknown): OciTarError {
  try {
    work();
  } catch (error) {
    if (isOciTarError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function json(value: unknown): Uint8Array {
  return utf8(JSON.stringify(value));
}

export const digestA = `sha256:${'a'.repeat(64)}` as const;
export const digestB = `sha256:${'b'.repeat(64)}` as const;
