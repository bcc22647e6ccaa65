import { OciTarError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly says: string;
  readonly hint?: string;
}

const full: Meaning = { code: 'NO_SPACE', says: 'there is no space left' };
const denied: Meaning = { code: 'FORBIDDEN', says: 'permission denied' };
const crowded: Meaning = {
  code: 'LIMIT_EXCEEDED',
  says: 'too many files are open',
  hint: 'Raise the limit on open files (ulimit -n) or lower the concurrency.',
};

const meanings: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ['ENOENT', { code: 'NOT_FOUND', says: 'it does not exist' }],
  ['ENOTDIR', { code: 'NOT_FOUND', says: 'a part of the path is not a directory' }],
  ['ENOSPC', full],
  ['EDQUOT', { code: 'NO_SPACE', says: 'the disk quota is used up' }],
  ['EFBIG', { code: 'NO_SPACE', says: 'the file is too large for its file system' }],
  ['EROFS', { code: 'READ_ONLY', says: 'the file system is read-only' }],
  ['EACCES', denied],
  ['EPERM', denied],
  ['ELOOP', { code: 'UNSAFE_PATH', says: 'it is a symbolic link, or leads through too many' }],
  ['ENAMETOOLONG', { code: 'INVALID_ARGUMENT', says: 'the name is too long' }],
  ['EMFILE', crowded],
  ['ENFILE', crowded],
  ['ETIMEDOUT', { code: 'TIMEOUT', says: 'the file system did not answer in time' }],
]);

/** The system's name of an error (`ENOENT`), when it has one. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * A system error about `subject` (a path) in the library's own terms: NOT_FOUND, NO_SPACE, READ_ONLY, FORBIDDEN,
 * UNSAFE_PATH, INVALID_ARGUMENT, LIMIT_EXCEEDED, TIMEOUT. Anything else comes back as it is.
 */
export function mapErrno(error: unknown, subject: string): unknown {
  const meaning = meanings.get(errnoOf(error) ?? '');
  if (meaning === undefined) return error;
  const { code, says, hint } = meaning;
  return new OciTarError(code, `${subject}: ${says}`, { subject, cause: error, ...(hint === undefined ? {} : { hint }) });
}
