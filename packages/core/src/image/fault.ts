import { isOciTarError } from '../errors.ts';
import type { ErrorCode, OciTarError } from '../errors.ts';

const others: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['FORBIDDEN', 'NO_SPACE', 'TIMEOUT', 'UNAUTHORIZED']);

/** Whether an error is the content's own fault, and not the medium's, so that a report can go on after it. The reason of an abort is thrown. */
export function isContentFault(error: unknown, signal: AbortSignal | undefined): error is OciTarError {
  // Before the codes are looked at: the reason of an abort may be one of our own errors.
  signal?.throwIfAborted();
  return isOciTarError(error) && !others.has(error.code);
}
