import { digestParts } from './digest.ts';
import type { Digest } from './digest.ts';

/** What cosign appends to the digest of an image: signatures, attestations, SBOMs. */
export const cosignSuffixes = ['.sig', '.att', '.sbom'] as const;

/** The tag under which a list of a digest's referrers is kept where there is no API for them (distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(digest: Digest): string {
  const { algorithm, encoded } = digestParts(digest);
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`.replace(/[^\w.-]/g, '-');
}

/** The tags under which cosign keeps what it says of a digest. */
export function cosignTags(digest: Digest): readonly string[] {
  return cosignSuffixes.map((suffix) => digest.replace(':', '-') + suffix);
}

/** Whether a tag is of one of these forms, whatever digest it is of. */
export function isReferrerTag(tag: string): boolean {
  return /^[a-z0-9]+(?:[+._-][a-z0-9]+)*-[0-9a-f]{64,128}(?:\.(?:sig|att|sbom))?$/.test(tag);
}

/** The tag of a name as archives and layouts spell it: a bare tag is one itself. Undefined where there is none. */
export function tagOfName(name: string): string | undefined {
  if (name.includes('@')) return undefined;
  if (!/[/:]/.test(name)) return name;
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(colon + 1) : undefined;
}

/** The name with another tag, its repository spelled as it is; a bare tag becomes the other one. */
export function withTag(name: string, tag: string): string {
  const repository = repositoryText(name);
  return repository === '' ? tag : `${repository}:${tag}`;
}

/** What stands before tag and digest; empty for a bare tag. */
export function repositoryText(name: string): string {
  const [whole = ''] = name.split('@');
  if (!/[/:@]/.test(name)) return '';
  const colon = whole.lastIndexOf(':');
  return colon > whole.lastIndexOf('/') ? whole.slice(0, colon) : whole;
}
