import { OciTarError, isOciTarError } from '../errors.ts';
import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { cosignTags, isReferrerTag, referrersTag, repositoryText, tagOfName, withTag } from '../spec/referrer-tag.ts';
import type { ContentRole, Plan } from './plan.ts';
import { readDocument } from './read.ts';
import { ReferrerCounter, byDigest } from './referrers.ts';
import type { ReferrerLimits } from './referrers.ts';
import type { ImageStore, NamedImage } from './store.ts';

export interface PlanReferrersOptions {
  readonly referrerLimits?: Partial<ReferrerLimits>;
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

/** A manifest or index whose referrers are looked for. */
interface Subject {
  readonly descriptor: Descriptor;
  /** The name of the image that it belongs to, in the target. */
  readonly owner: string | undefined;
}

/**
 * The plan with what refers to any of its manifests and indexes, and what refers to that in turn. What has to be listed for it in
 * the target says in an annotation what it refers to, and keeps a tag that is made of that digest. `planOne` plans one of them
 * with everything that it is made of. LIMIT_EXCEEDED; NOT_FOUND for a referrer that is not whole; errors of damaged ones.
 */
export async function withReferrers(plan: Plan, source: ImageStore, planOne: (root: NamedImage) => Promise<Plan>, options: PlanReferrersOptions = {}): Promise<Plan> {
  const contents = new Map(plan.contents);
  const gaps = [...plan.gaps];
  const referrers: NamedImage[] = [];
  let { size } = plan;
  const names = new Names(plan.images, await taggedIn(source));
  const counter = new ReferrerCounter(options.referrerLimits);
  const view = {};

  const take = async (root: NamedImage, { descriptor: subject, owner }: Subject, depth: number): Promise<readonly Subject[]> => {
    options.signal?.throwIfAborted();
    counter.add(root.descriptor, depth);
    const own = await planOne(root).catch((error: unknown) => {
      throw isOciTarError(error) ? new OciTarError(error.code, `referrer ${root.descriptor.digest} of ${subject.digest}: ${error.message}`, { ...error.details, cause: error }) : error;
    });
    const added: Subject[] = [];
    for (const [digest, content] of own.contents) {
      if (contents.has(digest)) continue;
      contents.set(digest, content);
      size += content.descriptor.size;
      if (!isDocument(content.role)) continue;
      // A list brings what it lists.
      if (digest !== root.descriptor.digest) counter.add(content.descriptor, depth);
      added.push({ descriptor: content.descriptor, owner });
    }
    gaps.push(...own.gaps);
    referrers.push(root);
    return added;
  };

  let level = await subjectsOf(source, plan, options.limits);
  for (let depth = 1; level.length > 0; depth += 1) {
    const next: Subject[] = [];
    for (const subject of level) {
      options.signal?.throwIfAborted();
      for (const companion of names.companionsOf(subject)) next.push(...(await take(companion, subject, depth)));
      const found: Descriptor[] = [];
      for await (const referrer of source.referrers?.(subject.descriptor, { view, ...limitsOf(options) }) ?? []) found.push(referrer);
      for (const referrer of found.sort(byDigest)) {
        if (contents.has(referrer.digest)) continue;
        next.push(...(await take({ descriptor: entryOf(referrer, subject.descriptor) }, subject, depth)));
      }
    }
    level = next;
  }
  referrers.sort((a, b) => byDigest(a.descriptor, b.descriptor) || ((a.name ?? '') < (b.name ?? '') ? -1 : 1));
  return { ...plan, contents, gaps, size, referrers };
}

/** The manifests and indexes that move, each with the first image that has it. Only indexes are read for this. */
async function subjectsOf(source: ImageStore, { images, contents }: Plan, limits: JsonLimits | undefined): Promise<readonly Subject[]> {
  const subjects = new Map<Digest, Subject>();
  for (const { name: owner, descriptor: root } of images) {
    const waiting = [root];
    for (let descriptor = waiting.pop(); descriptor !== undefined; descriptor = waiting.pop()) {
      const content = contents.get(descriptor.digest);
      if (content === undefined || !isDocument(content.role) || subjects.has(descriptor.digest)) continue;
      subjects.set(descriptor.digest, { descriptor: content.descriptor, owner });
      if (content.role !== 'index') continue;
      const document = await readDocument(content.origins[0] ?? source, content.descriptor, limits);
      if (document?.kind === 'index') waiting.push(...document.index.manifests.toReversed());
    }
  }
  return [...subjects.values()];
}

function isDocument(role: ContentRole): boolean {
  return role === 'index' || role === 'manifest';
}

function limitsOf({ limits }: PlanReferrersOptions): { readonly limits?: JsonLimits } {
  return limits === undefined ? {} : { limits };
}

/** How many referrers of what a plan moves it leaves behind, as far as the source can tell without reading manifests. */
export async function countReferrersLeft(source: ImageStore, plan: Plan): Promise<number> {
  const left = new Set<Digest>();
  const view = {};
  for (const { descriptor, role } of plan.contents.values()) {
    if (!isDocument(role)) continue;
    for await (const { digest } of source.referrers?.(descriptor, { view, quick: true }) ?? []) if (!plan.contents.has(digest)) left.add(digest);
  }
  return left.size;
}

/** The same for all sources, so that the same images give the same bytes. */
function entryOf({ mediaType, digest, size }: Descriptor, subject: Descriptor): Descriptor {
  return { mediaType, digest, size, annotations: { [annotationKeys.manifestSubject]: subject.digest } };
}

/** What a source lists under tags that are made of a digest, by tag. */
async function taggedIn(source: ImageStore): Promise<ReadonlyMap<string, readonly Required<NamedImage>[]>> {
  const tagged = new Map<string, Required<NamedImage>[]>();
  for await (const { name, descriptor } of source.images()) {
    const tag = name === undefined ? undefined : tagOfName(name);
    if (name !== undefined && tag !== undefined && isReferrerTag(tag)) tagged.set(tag, [...(tagged.get(tag) ?? []), { name, descriptor }]);
  }
  return tagged;
}

/** Which names tags of this kind get in the target: they stay in the repository of the image that they are about. */
class Names {
  readonly #tagged: ReadonlyMap<string, readonly Required<NamedImage>[]>;
  readonly #repositories: ReadonlySet<string>;
  readonly #taken: Map<string, Digest>;

  constructor(images: readonly NamedImage[], tagged: ReadonlyMap<string, readonly Required<NamedImage>[]>) {
    this.#tagged = tagged;
    this.#repositories = new Set(images.flatMap(({ name }) => (name === undefined ? [] : [repositoryText(name)])));
    this.#taken = new Map(images.flatMap(({ name, descriptor }) => (name === undefined ? [] : [[name, descriptor.digest]])));
  }

  companionsOf({ descriptor: subject, owner }: Subject): readonly NamedImage[] {
    const companions: NamedImage[] = [];
    for (const tag of [referrersTag(subject.digest), ...cosignTags(subject.digest)]) {
      const candidates = [...(this.#tagged.get(tag) ?? [])].sort((a, b) => byDigest(a.descriptor, b.descriptor) || (a.name < b.name ? -1 : 1));
      const home = candidates.filter(({ name }) => this.#repositories.has(repositoryText(name)));
      for (const { name, descriptor } of home.length > 0 ? home : candidates) {
        const kept = home.length > 0 ? name : withTag(owner ?? tag, tag);
        // Of two different ones for one name the second goes without: `referrers` tells of it as well.
        if (this.#taken.has(kept)) continue;
        this.#taken.set(kept, descriptor.digest);
        companions.push({ name: kept, descriptor: entryOf(descriptor, subject) });
      }
    }
    return companions;
  }
}
