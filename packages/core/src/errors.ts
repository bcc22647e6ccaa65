/**
 * One error class for the whole library. Callers branch on `code`; people read `message` and `hint`.
 * An abort never becomes one of these: it throws the signal's own reason.
 */
export type ErrorCode =
  | 'NOT_FOUND'
  | 'DIGEST_MISMATCH'
  | 'SIZE_MISMATCH'
  | 'INVALID_REFERENCE'
  | 'INVALID_DIGEST'
  | 'INVALID_PLATFORM'
  | 'INVALID_ARGUMENT'
  | 'INVALID_TAR'
  | 'INVALID_COMPRESSION'
  | 'INVALID_JSON'
  | 'INVALID_LAYOUT'
  | 'INVALID_MANIFEST'
  | 'INVALID_TOC'
  | 'UNSAFE_PATH'
  | 'LIMIT_EXCEEDED'
  | 'UNSUPPORTED'
  | 'CONFLICT'
  | 'NO_SPACE'
  | 'READ_ONLY'
  | 'FORBIDDEN'
  | 'UNAUTHORIZED'
  | 'TIMEOUT'
  | 'REGISTRY'
  | 'ENGINE';

/** Machine-readable particulars; which of them are set depends on the code. */
export interface ErrorDetails {
  /** Which side of a copy failed. */
  readonly side?: 'source' | 'target';
  /** What to do about it, in one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** DIGEST_MISMATCH and SIZE_MISMATCH: what was promised and what came. */
  readonly expected?: string | number;
  readonly actual?: string | number;
  /** Byte offset at which the input stops making sense. */
  readonly offset?: number;
  /** LIMIT_EXCEEDED: the limit, in the unit that the message names. */
  readonly limit?: number;
  /** The file, entry, reference or address that the message is about. */
  readonly subject?: string;
  /** NOT_FOUND of an incomplete image: every blob that it lacks, with what it is needed for (`linux/arm64`) where that is known. */
  readonly missing?: readonly MissingBlob[];
}

export interface MissingBlob {
  readonly platform?: string;
  readonly mediaType: string;
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
}

const brand = Symbol.for('oci-tar.error');

export class OciTarError extends Error {
  override readonly name = 'OciTarError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.details = details;
  }

  get hint(): string | undefined {
    return this.details.hint;
  }
}

/** Tells our errors by their brand, so that two copies of the library recognise each other's. */
export function isOciTarError(value: unknown): value is OciTarError;
export function isOciTarError<C extends ErrorCode>(value: unknown, code: C): value is OciTarError & { readonly code: C };
export function isOciTarError(value: unknown, code?: ErrorCode): boolean {
  if (typeof value !== 'object' || value === null || !(brand in value)) return false;
  return code === undefined || (value as OciTarError).code === code;
}
