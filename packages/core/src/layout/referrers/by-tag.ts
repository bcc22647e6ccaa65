import { archiveName } from '../../spec/annotation.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { isReferrerTag, tagOfName } from '../../spec/referrer-tag.ts';
import { grouped } from './grouped.ts';

/** The entries whose tag is made of a digest, in whatever repository, by tag: lists of referrers, and what cosign keeps. */
export function entriesByTag(entries: readonly Descriptor[]): ReadonlyMap<string, readonly Descriptor[]> {
  return grouped(entries, (entry) => {
    const name = archiveName(entry.annotations);
    const tag = name === undefined ? undefined : tagOfName(name);
    return tag !== undefined && isReferrerTag(tag) ? tag : undefined;
  });
}
