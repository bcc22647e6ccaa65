import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { isDigest } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';

/**
 * The entries of an index.json that are listed as referrers (`io.containerd.manifest.subject`) of what no other entry leads to.
 * `follow` is told what else is listed, and `leads` whether something followed so far leads to a digest.
 */
export async function orphansOf(
  entries: readonly Descriptor[],
  leads: (digest: Digest) => boolean,
  follow: (roots: readonly Descriptor[]) => Promise<void>,
): Promise<ReadonlySet<Descriptor>> {
  let waiting = entries.filter((entry) => subjectOf(entry) !== undefined);
  let found = entries.filter((entry) => subjectOf(entry) === undefined);
  // In turns, since a referrer may itself be the subject of another one.
  for (;;) {
    await follow(found);
    const isKept = (entry: Descriptor) => leads(subjectOf(entry) ?? entry.digest);
    found = waiting.filter(isKept);
    if (found.length === 0) return new Set(waiting);
    waiting = waiting.filter((entry) => !isKept(entry));
  }
}

/** Undefined also for an annotation that is no digest: of such an entry nothing is known. */
function subjectOf({ annotations }: Descriptor): Digest | undefined {
  const subject = annotations?.[annotationKeys.manifestSubject];
  return subject !== undefined && isDigest(subject) ? subject : undefined;
}
