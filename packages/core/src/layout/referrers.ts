import { byDigest } from '../image/referrers.ts';
import type { ImageStore, ReferrersOptions } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { annotatedEntries, checkAnnotations } from './referrers/by-annotation.ts';
import { cosignEntries } from './referrers/by-cosign-tag.ts';
import { entriesBySubject } from './referrers/by-subject.ts';
import { listedReferrers, referrerLists } from './referrers/by-tag-schema.ts';
import { entriesByTag } from './referrers/by-tag.ts';
import { checkSubjectSize, readEntry } from './referrers/entries.ts';
import type { ReadEntry } from './referrers/entries.ts';

/** The entries of an index.json, sorted by what they refer to. */
interface Listing {
  readonly annotated: ReadonlyMap<string, readonly Descriptor[]>;
  readonly byTag: ReadonlyMap<string, readonly Descriptor[]>;
  /** Needs every listed manifest to be read, so only when it is asked for. */
  bySubject(limits: JsonLimits | undefined): Promise<ReadonlyMap<string, readonly ReadEntry[]>>;
}

/** Finds referrers among the entries of a layout's index.json: by subject, by annotation, by tag schema, by cosign's tags. */
export class LayoutReferrers {
  readonly #store: ImageStore;
  readonly #entries: () => Promise<readonly Descriptor[]>;
  readonly #views = new WeakMap<object, Promise<Listing>>();

  constructor(store: ImageStore, entries: () => Promise<readonly Descriptor[]>) {
    this.#store = store;
    this.#entries = entries;
  }

  async *of(subject: Descriptor, options: ReferrersOptions = {}): AsyncIterable<Descriptor> {
    const listing = await this.#listing(options.view);
    const found = new Map<Digest, Descriptor>();
    const add = (referrer: Descriptor) => void (found.has(referrer.digest) || found.set(referrer.digest, referrer));
    if (options.quick === true) for (const entry of claiming(listing, subject)) add(entry);
    else for (const referrer of await this.#read(listing, subject, options.limits)) add(referrer);
    yield* [...found.values()].sort(byDigest);
  }

  async #read(listing: Listing, subject: Descriptor, limits: JsonLimits | undefined): Promise<readonly Descriptor[]> {
    const found: Descriptor[] = [];
    for (const { descriptor, subject: claimed } of (await listing.bySubject(limits)).get(subject.digest) ?? []) {
      if (claimed !== undefined) checkSubjectSize(descriptor, claimed, subject);
      found.push(descriptor);
    }
    const claims = [...(listing.annotated.get(subject.digest) ?? []), ...cosignEntries(listing.byTag, subject)];
    const lists = new Set(referrerLists(listing.byTag, subject).map((list) => list.digest));
    for (const list of referrerLists(listing.byTag, subject)) claims.push(...(await listedReferrers(this.#store, list, limits)));
    for (const claim of claims) {
      if (lists.has(claim.digest)) continue;
      const read = await readEntry(this.#store, claim, limits);
      // What is not here is told as it is listed: whoever needs it will say that it is missing.
      if (read === undefined) found.push(bare(claim));
      else if (read.subject === undefined) found.push(read.descriptor);
      else if (read.subject.digest === subject.digest) {
        checkSubjectSize(read.descriptor, read.subject, subject);
        found.push(read.descriptor);
      }
    }
    return found;
  }

  #listing(view: object | undefined): Promise<Listing> {
    const known = view === undefined ? undefined : this.#views.get(view);
    if (known !== undefined) return known;
    const listing = this.#readListing();
    if (view !== undefined) this.#views.set(view, listing);
    return listing;
  }

  async #readListing(): Promise<Listing> {
    const entries = await this.#entries();
    let bySubject: ReturnType<Listing['bySubject']> | undefined;
    return {
      annotated: annotatedEntries(entries),
      byTag: entriesByTag(entries),
      bySubject: (limits) => {
        checkAnnotations(entries, this.#store.name);
        return (bySubject ??= entriesBySubject(this.#store, entries, limits));
      },
    };
  }
}

/** What index.json alone says to be a referrer, or a list of them. */
function claiming(listing: Listing, subject: Descriptor): readonly Descriptor[] {
  return [...(listing.annotated.get(subject.digest) ?? []), ...cosignEntries(listing.byTag, subject), ...referrerLists(listing.byTag, subject)];
}

function bare({ mediaType, digest, size, artifactType }: Descriptor): Descriptor {
  return { mediaType, digest, size, ...(artifactType === undefined ? {} : { artifactType }) };
}
