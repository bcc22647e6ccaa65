import { OciTarError } from '../errors.ts';
import type { ErrorDetails } from '../errors.ts';

/** INVALID_COMPRESSION at a byte of the compressed input. */
export function broken(codec: string, offset: number, what: string, details: ErrorDetails = {}): OciTarError {
  return new OciTarError('INVALID_COMPRESSION', `${codec} input is broken at byte ${offset}: ${what}`, { offset, ...details });
}

/** INVALID_COMPRESSION for input that stops too early. */
export function truncated(codec: string, offset: number, inside: string): OciTarError {
  return new OciTarError('INVALID_COMPRESSION', `${codec} input ends too early, at byte ${offset}, inside ${inside}`, {
    offset,
    hint: 'the input is truncated; fetch it again',
  });
}
