import { OciTarError } from '../errors.ts';

/** INVALID_TAR at a byte of the archive. */
export function invalidTar(what: string, offset: number, subject?: string): OciTarError {
  const details = subject === undefined ? { offset } : { offset, subject };
  return new OciTarError('INVALID_TAR', `${what} (at byte ${offset} of the tar archive)`, details);
}

/** INVALID_TAR for an archive that ends before it should; `why` says what is missing. */
export function truncatedTar(offset: number, why: string, subject?: string): OciTarError {
  const details = subject === undefined ? { offset } : { offset, subject };
  return new OciTarError('INVALID_TAR', `the tar archive is truncated at byte ${offset}: ${why}`, details);
}
