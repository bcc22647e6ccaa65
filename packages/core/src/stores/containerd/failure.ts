import { OciTarError, isOciTarError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';

/** The statuses of gRPC that matter here, by their numbers in its specification (statuscodes.md). */
export const grpcStatus = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const codes: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [grpcStatus.invalidArgument, 'INVALID_ARGUMENT'],
  [grpcStatus.deadlineExceeded, 'TIMEOUT'],
  [grpcStatus.notFound, 'NOT_FOUND'],
  [grpcStatus.alreadyExists, 'CONFLICT'],
  [grpcStatus.permissionDenied, 'FORBIDDEN'],
  [grpcStatus.resourceExhausted, 'LIMIT_EXCEEDED'],
  [grpcStatus.unimplemented, 'UNSUPPORTED'],
  [grpcStatus.unauthenticated, 'UNAUTHORIZED'],
]);

/** What a call ended with, where it did not end well. */
export interface CallFailure {
  readonly code: number;
  readonly details: string;
}

/** The status of a failed call; undefined for any other error. */
export function callFailure(error: unknown): CallFailure | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('details' in error)) return undefined;
  const { code, details } = error;
  return typeof code === 'number' && typeof details === 'string' ? { code, details } : undefined;
}

/** Whether a call failed with this status. */
export function hasStatus(error: unknown, status: number): boolean {
  return callFailure(error)?.code === status;
}

/** A failed call as an error of ours; `what` says what was to be done. Whatever an abort makes fail fails with its reason. */
export function engineError(error: unknown, what: string, subject: string, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return signal.reason;
  const failure = callFailure(error);
  if (isOciTarError(error) || failure === undefined) return error;
  const { code } = failure;
  // The gRPC library ends with a heading under which nothing stands.
  const details = failure.details.replace(/\.?\s*Resolution note:\s*$/, '');
  // Cancelled, and not by us: its side of the connection was closed.
  if (code === grpcStatus.unavailable || code === grpcStatus.cancelled || /connection dropped|RST_STREAM|ECONNRESET/i.test(details)) {
    return new OciTarError('ENGINE', `containerd went away while it was to ${what}: ${details}`, { subject, cause: error, hint: 'See its log, and run the same again: what it has already is not sent twice.' });
  }
  const known = /no space left on device|disk quota exceeded/i.test(details) ? 'NO_SPACE' : codes.get(code);
  return new OciTarError(known ?? 'ENGINE', `containerd did not ${what}: ${details === '' ? `status ${code}` : details}`, { subject, cause: error });
}
