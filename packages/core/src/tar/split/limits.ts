import { OciTarError } from '../../errors.ts';

/** Bounds on metadata, which may come from anyone. LIMIT_EXCEEDED beyond them. */
export interface SplitLimits {
  /** Records of the metadata: 20,000,000 by default, two an entry. */
  readonly records: number;
  /** Bytes of one record: 4 MiB by default. */
  readonly record: number;
  /** Bytes of one name: 64 KiB by default. */
  readonly name: number;
  /** Bytes of the archive that is put together; none by default. */
  readonly archive: number;
}

export const defaultSplitLimits: SplitLimits = { records: 20_000_000, record: 4 * 1024 * 1024, name: 64 * 1024, archive: Number.MAX_SAFE_INTEGER };

/** Payloads up to this size are handled whole: their digest is known before anything is handed on. 1 MiB. */
export const wholePayload = 1024 * 1024;

export function overLimit(what: string, limit: number, offset?: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `tar-split: ${what} more than ${limit}`, { limit, ...(offset === undefined ? {} : { offset }) });
}

/** INVALID_TAR for metadata that are not what they should be; `offset` counts in the metadata. */
export function invalidMetadata(what: string, offset: number): OciTarError {
  return new OciTarError('INVALID_TAR', `tar-split metadata: ${what} (at byte ${offset} of the metadata)`, { offset });
}
