import { OciTarError, isOciTarError } from '../../errors.ts';
import { asReferrer, subjectOf } from '../../image/referrers.ts';
import { roleOf } from '../../image/children.ts';
import { readDocument } from '../../image/read.ts';
import type { ImageStore } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Document } from '../../spec/document.ts';
import type { JsonLimits } from '../../spec/limits.ts';

/** What a layout's entry turned out to be. */
export interface ReadEntry {
  /** With artifactType and annotations, as the referrers API gives it. */
  readonly descriptor: Descriptor;
  readonly document: Document;
  readonly subject?: Descriptor;
}

/**
 * Reads a manifest or index that may be a referrer; undefined where it is not here, or of another kind. Of one that is damaged
 * the error says that a referrer was looked for.
 */
export async function readEntry(store: ImageStore, entry: Descriptor, limits?: JsonLimits): Promise<ReadEntry | undefined> {
  if (roleOf(entry) === 'other') return undefined;
  try {
    const document = await readDocument(store, entry, limits);
    if (document === undefined) return undefined;
    const subject = subjectOf(document);
    return { descriptor: asReferrer(entry, document), document, ...(subject === undefined ? {} : { subject }) };
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND')) return undefined;
    if (!isOciTarError(error)) throw error;
    throw new OciTarError(error.code, `${store.name} lists ${entry.digest}, and what that refers to cannot be told: ${error.message}`, {
      ...error.details,
      side: 'source',
      subject: entry.digest,
      cause: error,
    });
  }
}

/** SIZE_MISMATCH for a referrer that says its subject has another size: with the same digest that cannot be. */
export function checkSubjectSize(referrer: Descriptor, claimed: Descriptor, subject: Descriptor): void {
  if (claimed.size === subject.size) return;
  throw new OciTarError('SIZE_MISMATCH', `referrer ${referrer.digest} says that its subject ${subject.digest} has ${claimed.size} bytes; it has ${subject.size}`, {
    side: 'source',
    expected: subject.size,
    actual: claimed.size,
    subject: referrer.digest,
  });
}
