import { annotationKeys, isOciTarError, makePlan, matchPlatform, referrerTrees } from '@oci-tar/core';
import type { Descriptor, ImageStore, NamedImage, Platform, ReferrerNode, ReferrerTreeOptions } from '@oci-tar/core';
import { imageDetails, purposeOf } from './image-details.ts';
import type { ManifestDetails } from './image-details.ts';

/** One thing that refers to another. */
export interface ReferrerItem {
  readonly descriptor: Descriptor;
  /** What it is: the artifactType, or what an index says of an attestation in it. */
  readonly type: string;
  /** Bytes of it and of everything that it is made of; undefined where something of it is not here. */
  readonly totalSize?: number;
  /** Where the index of the image itself holds it, as BuildKit's attestations. */
  readonly inIndex: boolean;
  readonly referrers: readonly ReferrerItem[];
}

/** A manifest or index of an image and what refers to it. */
export interface ReferrerSection {
  readonly descriptor: Descriptor;
  /** `linux/amd64`; undefined for the image as a whole. */
  readonly purpose?: string;
  readonly referrers: readonly ReferrerItem[];
}

export interface ReferrerReport {
  readonly image: NamedImage;
  /** The image as a whole first, then one for each manifest of its index that is here. */
  readonly sections: readonly ReferrerSection[];
}

/** Finds what refers to an image, to its manifests, and to that in turn. Only manifests, indexes and configs are read. */
export async function referrerReport(source: ImageStore, image: NamedImage, options: ReferrerTreeOptions & { readonly signal: AbortSignal; readonly platform?: Platform }): Promise<ReferrerReport> {
  const { manifests } = await imageDetails(source, image, options.signal);
  const parts = manifests.filter(({ descriptor }) => descriptor.digest !== image.descriptor.digest);
  const attestations = parts.filter((part) => describedBy(part) !== undefined);
  const matcher = options.platform === undefined ? undefined : matchPlatform(options.platform);
  const chosen = parts.filter((part) => describedBy(part) === undefined && (matcher === undefined || (part.platform !== undefined && matcher.match(part.platform))));
  const attesting = attestations.filter((attestation) => chosen.some(({ descriptor }) => descriptor.digest === describedBy(attestation)));
  const subjects = [image.descriptor, ...[...chosen, ...attesting].map(({ descriptor }) => descriptor)];
  const trees = await referrerTrees(source, subjects, options);
  const itemsAt = (position: number) => Promise.all((trees[position] ?? []).map((node) => itemOf(source, node)));
  const inIndex = new Map<string, ReferrerItem[]>();
  for (const [position, { descriptor, ...part }] of attesting.entries()) {
    const digest = describedBy({ descriptor }) ?? '';
    const type = purposeOf({ descriptor, ...part });
    const item = { descriptor, type, ...(await totalOf(source, descriptor)), inIndex: true, referrers: await itemsAt(1 + chosen.length + position) };
    inIndex.set(digest, [...(inIndex.get(digest) ?? []), item]);
  }
  const sections: ReferrerSection[] = [{ descriptor: image.descriptor, referrers: await itemsAt(0) }];
  for (const [position, part] of chosen.entries()) {
    const { descriptor } = part;
    sections.push({ descriptor, purpose: purposeOf(part), referrers: [...(inIndex.get(descriptor.digest) ?? []), ...(await itemsAt(1 + position))] });
  }
  return { image, sections };
}

async function itemOf(source: ImageStore, { descriptor, referrers }: ReferrerNode): Promise<ReferrerItem> {
  const below: ReferrerItem[] = [];
  for (const node of referrers) below.push(await itemOf(source, node));
  return { descriptor, type: descriptor.artifactType ?? descriptor.mediaType, ...(await totalOf(source, descriptor)), inIndex: false, referrers: below };
}

async function totalOf(source: ImageStore, { mediaType, digest, size }: Descriptor): Promise<{ readonly totalSize?: number }> {
  try {
    return { totalSize: (await makePlan(source, [{ descriptor: { mediaType, digest, size } }])).size };
  } catch (error) {
    if (isOciTarError(error)) return {};
    throw error;
  }
}

function describedBy({ descriptor }: Pick<ManifestDetails, 'descriptor'>): string | undefined {
  return descriptor.annotations?.[annotationKeys.referenceDigest];
}
