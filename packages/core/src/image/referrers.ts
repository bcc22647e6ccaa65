import { OciTarError, isOciTarError } from '../errors.ts';
import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { Document } from '../spec/document.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { isReferrerTag, tagOfName } from '../spec/referrer-tag.ts';
import { roleOf } from './children.ts';
import { readDocument } from './read.ts';
import type { ImageStore, NamedImage } from './store.ts';

/** How many referrers are followed before LIMIT_EXCEEDED. */
export interface ReferrerLimits {
  /** In all. */
  readonly count: number;
  /** Referrers of referrers: a signature of an image is 1 deep, a signature of its SBOM 2. */
  readonly depth: number;
}

export const defaultReferrerLimits: ReferrerLimits = { count: 10_000, depth: 8 };

/** What a manifest or index is a referrer of. */
export function subjectOf(document: Document): Descriptor | undefined {
  return document.kind === 'index' ? document.index.subject : document.manifest.subject;
}

/** A referrer's descriptor with its artifactType and annotations, as a registry lists it (distribution-spec, "Listing Referrers"). */
export function asReferrer({ mediaType, digest, size }: Descriptor, document: Document): Descriptor {
  const { artifactType, annotations } = document.kind === 'index' ? document.index : document.manifest;
  const type = artifactType === undefined || artifactType === '' ? typeWithout(document) : artifactType;
  return { mediaType, digest, size, ...(type === undefined ? {} : { artifactType: type }), ...(annotations === undefined ? {} : { annotations }) };
}

/** A manifest that does not say what it is is what its config is. */
function typeWithout(document: Document): string | undefined {
  return document.kind === 'manifest' ? document.manifest.config.mediaType : undefined;
}

/** Whether a place lists this only as a companion of something else; it is no image of its own. */
export function isListedReferrer({ descriptor }: NamedImage): boolean {
  const subject = descriptor.annotations?.[annotationKeys.manifestSubject];
  return subject !== undefined && subject !== '';
}

/**
 * The images without what only accompanies others: by its entry's annotation, by its tag, or, where it has no name, by the
 * subject that it states. Everything, where nothing else is there.
 */
export async function withoutReferrers(store: ImageStore, images: readonly NamedImage[]): Promise<readonly NamedImage[]> {
  const own: NamedImage[] = [];
  for (const image of images) if (!isListedReferrer(image) && !hasReferrerTag(image)) own.push(image);
  if (own.length < 2) return own.length === 0 ? images.map(asOwnImage) : own;
  const kept: NamedImage[] = [];
  for (const image of own) if (image.name !== undefined || !(await statesSubject(store, image.descriptor))) kept.push(image);
  return kept.length === 0 ? images : kept;
}

/** An image that was asked for by its name is one, whatever the place lists it as. */
export function asOwnImage(image: NamedImage): NamedImage {
  if (!isListedReferrer(image)) return image;
  const { annotations, ...descriptor } = image.descriptor;
  const { [annotationKeys.manifestSubject]: _subject, ...others } = annotations ?? {};
  return { ...image, descriptor: { ...descriptor, annotations: others } };
}

/** Whether its tag is made of a digest, as for lists of referrers and for what cosign keeps. */
export function hasReferrerTag({ name }: NamedImage): boolean {
  return name !== undefined && isReferrerTag(tagOfName(name) ?? '');
}

async function statesSubject(store: ImageStore, descriptor: Descriptor): Promise<boolean> {
  if (roleOf(descriptor) === 'other') return false;
  try {
    const document = await readDocument(store, descriptor);
    return document !== undefined && subjectOf(document) !== undefined;
  } catch (error) {
    if (isOciTarError(error)) return false;
    throw error;
  }
}

/** A referrer and what refers to it in turn. */
export interface ReferrerNode {
  readonly descriptor: Descriptor;
  readonly referrers: readonly ReferrerNode[];
}

export interface ReferrerTreeOptions {
  readonly referrerLimits?: Partial<ReferrerLimits>;
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

/**
 * What refers to each of some contents of a place, and to that in turn, sorted by digest. A referrer is listed once. UNSUPPORTED
 * for a place that cannot tell, LIMIT_EXCEEDED, and what the place says of a referrer that is damaged.
 */
export async function referrerTrees(store: ImageStore, subjects: readonly Descriptor[], options: ReferrerTreeOptions = {}): Promise<readonly (readonly ReferrerNode[])[]> {
  const { referrers } = store;
  if (referrers === undefined) throw new OciTarError('UNSUPPORTED', `${store.name} cannot tell what refers to an image`, { side: 'source', subject: store.name });
  const counter = new ReferrerCounter(options.referrerLimits);
  const seen = new Set<Digest>(subjects.map((subject) => subject.digest));
  const view = {};
  const nodesOf = async (subject: Descriptor, depth: number): Promise<readonly ReferrerNode[]> => {
    options.signal?.throwIfAborted();
    const found: Descriptor[] = [];
    for await (const referrer of referrers.call(store, subject, { view, ...(options.limits === undefined ? {} : { limits: options.limits }) })) {
      if (seen.has(referrer.digest)) continue;
      counter.add(referrer, depth);
      seen.add(referrer.digest);
      found.push(referrer);
    }
    const nodes: ReferrerNode[] = [];
    for (const descriptor of found.sort(byDigest)) nodes.push({ descriptor, referrers: await nodesOf(descriptor, depth + 1) });
    return nodes;
  };
  const trees: (readonly ReferrerNode[])[] = [];
  for (const subject of subjects) trees.push(await nodesOf(subject, 1));
  return trees;
}

export function byDigest(a: Descriptor, b: Descriptor): number {
  return a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0;
}

/** Counts referrers against the limits. */
export class ReferrerCounter {
  readonly #limits: ReferrerLimits;
  #count = 0;

  constructor(limits: Partial<ReferrerLimits> = {}) {
    this.#limits = { ...defaultReferrerLimits, ...limits };
  }

  /** LIMIT_EXCEEDED. */
  add({ digest }: Descriptor, depth: number): void {
    this.#count += 1;
    const { count, depth: deepest } = this.#limits;
    if (this.#count > count) {
      throw new OciTarError('LIMIT_EXCEEDED', `there are more than ${count} referrers`, { limit: count, subject: digest, side: 'source' });
    }
    if (depth > deepest) {
      throw new OciTarError('LIMIT_EXCEEDED', `referrers refer to referrers more than ${deepest} deep at ${digest}`, { limit: deepest, subject: digest, side: 'source' });
    }
  }
}
