import { OciTarError, isOciTarError } from '../../errors.ts';
import { annotationKeys } from '../../spec/annotation.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { parseDigest } from '../../spec/digest.ts';
import { grouped } from './grouped.ts';

/** The entries that say in an annotation what they refer to, as containerd and we write them, by that digest. */
export function annotatedEntries(entries: readonly Descriptor[]): ReadonlyMap<string, readonly Descriptor[]> {
  return grouped(entries, subjectIn);
}

/** INVALID_DIGEST for an entry whose annotation is not a digest. */
export function checkAnnotations(entries: readonly Descriptor[], where: string): void {
  for (const entry of entries) {
    const subject = subjectIn(entry);
    if (subject === undefined) continue;
    try {
      parseDigest(subject);
    } catch (error) {
      if (!isOciTarError(error)) throw error;
      const message = `${where} lists ${entry.digest} as a referrer of something that is no digest: ${error.message}`;
      throw new OciTarError(error.code, message, { ...error.details, side: 'source', subject: entry.digest, cause: error });
    }
  }
}

function subjectIn(entry: Descriptor): string | undefined {
  const subject = entry.annotations?.[annotationKeys.manifestSubject];
  return subject === '' ? undefined : subject;
}
