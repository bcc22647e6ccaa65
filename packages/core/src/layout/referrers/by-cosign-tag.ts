import type { Descriptor } from '../../spec/descriptor.ts';
import { cosignTags } from '../../spec/referrer-tag.ts';

/** What cosign keeps beside an image: under `sha256-<hex>` with `.sig`, `.att` or `.sbom`. It states no subject. */
export function cosignEntries(byTag: ReadonlyMap<string, readonly Descriptor[]>, subject: Descriptor): readonly Descriptor[] {
  return cosignTags(subject.digest).flatMap((tag) => byTag.get(tag) ?? []);
}
