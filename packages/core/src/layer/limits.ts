import { OciTarError } from '../errors.ts';

/** What may be asked of memory when layers are seen as one tree. Beyond each of them: LIMIT_EXCEEDED. */
export interface MergeLimits {
  /** Entries of all layers together, and paths (also those that are only implied by what is in them): 5,000,000. */
  readonly entries: number;
  /** Bytes that one entry's headers may take together: 1 MiB. */
  readonly headerBytes: number;
  /** Parts of a path: 1024. */
  readonly depth: number;
  /** Bytes of all names that are held, and of the extended attributes of what is held: 1 GiB. */
  readonly nameBytes: number;
  /** Bytes that wait on disk where layers can be read only once: 8 GiB. */
  readonly spoolBytes: number;
}

export const defaultMergeLimits: MergeLimits = {
  entries: 5_000_000,
  headerBytes: 1024 * 1024,
  depth: 1024,
  nameBytes: 1024 * 1024 * 1024,
  spoolBytes: 8 * 1024 * 1024 * 1024,
};

/** The given limits, the default for the others. INVALID_ARGUMENT for what is no number from 0 up. */
export function mergeLimits(limits: Partial<MergeLimits> = {}): MergeLimits {
  for (const [name, limit] of Object.entries(limits)) {
    if (!(limit >= 0)) throw new OciTarError('INVALID_ARGUMENT', `the limit ${name} is ${limit}, which is no count`);
  }
  return { ...defaultMergeLimits, ...limits };
}

export function overLimit(what: string, limit: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `the layers have ${what}, the limit is ${limit}`, { limit, hint: 'raise the limit if these layers are to be trusted' });
}
