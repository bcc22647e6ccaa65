import type { ImageStore } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { JsonLimits } from '../../spec/limits.ts';
import { isIndexType } from '../../spec/media-type.ts';
import { referrersTag } from '../../spec/referrer-tag.ts';
import { readEntry } from './entries.ts';

/** The indexes that list a digest's referrers under the tag that is made of it. */
export function referrerLists(byTag: ReadonlyMap<string, readonly Descriptor[]>, subject: Descriptor): readonly Descriptor[] {
  return (byTag.get(referrersTag(subject.digest)) ?? []).filter((entry) => isIndexType(entry.mediaType));
}

/** What such an index lists. One that states a subject is a referrer itself and no list. */
export async function listedReferrers(store: ImageStore, list: Descriptor, limits?: JsonLimits): Promise<readonly Descriptor[]> {
  const read = await readEntry(store, list, limits);
  return read?.document.kind === 'index' && read.subject === undefined ? read.document.index.manifests : [];
}
