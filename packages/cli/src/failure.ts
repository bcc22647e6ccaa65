import { isOciTarError } from '@oci-tar/core';
import type { ErrorCode } from '@oci-tar/core';
import { errnoOf } from './descriptor-sink.ts';
import { Interrupted } from './signals.ts';

/** Exit statuses, as docs/exit-statuses.md lists them. Beside these: 129, 130 and 143 for the signals. */
export const exitStatus = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  damaged: 4,
  denied: 5,
  conflict: 6,
  unsupported: 7,
  /** What a shell reports for a program that writes to a closed pipe. */
  closedPipe: 141,
} as const;

interface Meaning {
  readonly status: number;
  /** For errors that bring no hint of their own. */
  readonly hint?: string;
}

const damaged: Meaning = { status: exitStatus.damaged };
const getAgain: Meaning = { status: exitStatus.damaged, hint: 'The content is damaged: get it again from where it came from.' };

const meanings: Readonly<Record<ErrorCode, Meaning>> = {
  NOT_FOUND: { status: exitStatus.notFound },
  DIGEST_MISMATCH: getAgain,
  SIZE_MISMATCH: getAgain,
  INVALID_REFERENCE: { status: exitStatus.usage, hint: 'Names are written like hello:1 or example.org/team/app:1.2.' },
  INVALID_DIGEST: damaged,
  INVALID_PLATFORM: { status: exitStatus.usage },
  INVALID_ARGUMENT: { status: exitStatus.usage },
  INVALID_TAR: getAgain,
  INVALID_COMPRESSION: getAgain,
  INVALID_JSON: damaged,
  INVALID_LAYOUT: { status: exitStatus.damaged, hint: 'An OCI image layout has the files oci-layout and index.json and the folder blobs.' },
  INVALID_MANIFEST: damaged,
  INVALID_TOC: damaged,
  UNSAFE_PATH: damaged,
  LIMIT_EXCEEDED: damaged,
  UNSUPPORTED: { status: exitStatus.unsupported },
  CONFLICT: { status: exitStatus.conflict },
  NO_SPACE: { status: exitStatus.denied, hint: 'Make room, or choose another place.' },
  READ_ONLY: { status: exitStatus.denied, hint: 'Choose another place; that of the store is set by --store or OCI_TAR_STORE.' },
  FORBIDDEN: { status: exitStatus.denied, hint: 'Check who owns it, or choose another place.' },
  UNAUTHORIZED: { status: exitStatus.denied },
  TIMEOUT: { status: exitStatus.failed },
  REGISTRY: { status: exitStatus.failed },
  ENGINE: { status: exitStatus.failed },
};

/** The command was called in a way that makes no sense. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** What is told of an error, and the exit status. */
export interface Failure {
  readonly status: number;
  /** Absent where there is nothing to tell: the reader of our output went away. */
  readonly report?: FailureReport;
}

/** The `error` object of `--json`; which particulars are there depends on the code. */
export interface FailureReport {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly side?: 'source' | 'target';
  readonly subject?: string;
  readonly expected?: string | number;
  readonly actual?: string | number;
  readonly offset?: number;
  readonly limit?: number;
}

/** By its name: the bundle has this class in more than one of its files. */
function isUsageError(error: unknown): error is UsageError {
  return error instanceof Error && error.name === 'UsageError' && 'hint' in error;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof Interrupted) return { status: error.status, report: { code: 'INTERRUPTED', message: error.message } };
  if (errnoOf(error) === 'EPIPE') return { status: exitStatus.closedPipe };
  if (isUsageError(error)) {
    return { status: exitStatus.usage, report: { code: 'USAGE', message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) } };
  }
  if (isOciTarError(error)) {
    const { status, hint } = meanings[error.code];
    const { cause: _cause, ...details } = error.details;
    return { status, report: { code: error.code, message: error.message, ...(hint === undefined ? {} : { hint }), ...details } };
  }
  return { status: exitStatus.failed, report: { code: errnoOf(error) ?? 'INTERNAL', message: error instanceof Error ? error.message : String(error) } };
}

/** The lines that a person reads. */
export function failureText({ message, hint }: FailureReport): string {
  return `oci-tar: ${message}\n${hint === undefined ? '' : `  ${hint}\n`}`;
}
