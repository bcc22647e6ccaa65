import { roleOf } from '../image/children.ts';
import { hasReferrerTag, isListedReferrer, subjectOf } from '../image/referrers.ts';
import { chosenChildren } from '../image/platform-choice.ts';
import type { PlatformChoice } from '../image/platform-choice.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { childrenOf, parseDocument } from '../spec/document.ts';
import type { ImageIndex } from '../spec/image-index.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { imageOf } from './find.ts';

/** What is known, in the middle of reading an archive from a pipe, of what the archive's images need. */
export class Wanted {
  readonly #choice: PlatformChoice;
  readonly #limits: JsonLimits;
  readonly #referrers: boolean;
  /** Manifests and indexes that are needed and have not been read. */
  readonly #documents = new Map<Digest, Descriptor>();
  readonly #needed = new Set<Digest>();
  /** Referrers and what they are made of: of these all platforms are needed. */
  readonly #whole = new Set<Digest>();
  #begun = false;

  constructor(choice: PlatformChoice, limits: JsonLimits, referrers = false) {
    this.#choice = choice;
    this.#limits = limits;
    this.#referrers = referrers;
  }

  /** The archive's index.json has come. */
  begin(index: ImageIndex): void {
    this.#begun = true;
    for (const descriptor of index.manifests) {
      const image = imageOf(descriptor);
      if (isListedReferrer(image) && !this.#referrers) continue;
      this.#need(descriptor, isListedReferrer(image) || hasReferrerTag(image));
    }
  }

  /**
   * `unneeded` only when everything that could refer to the blob has been read; before that, `unknown`.
   * `document`: to be shown to `read`.
   */
  standing(digest: Digest): 'document' | 'needed' | 'unknown' | 'unneeded' {
    if (this.#documents.has(digest)) return 'document';
    if (this.#needed.has(digest)) return 'needed';
    return this.#begun && this.#documents.size === 0 ? 'unneeded' : 'unknown';
  }

  /** A document that is needed and has come. */
  nextDocument(come: ReadonlyMap<Digest, unknown>): Digest | undefined {
    for (const digest of this.#documents.keys()) if (come.has(digest)) return digest;
    return undefined;
  }

  /** A document has come: its children are needed too, and returned. */
  read(digest: Digest, bytes: Uint8Array): readonly Descriptor[] {
    const descriptor = this.#documents.get(digest);
    if (descriptor === undefined) return [];
    this.#documents.delete(digest);
    this.#needed.add(digest);
    const document = parseDocument(bytes, descriptor, { limits: this.#limits });
    if (document === undefined) return [];
    const children = childrenOf(document);
    const whole = this.#whole.has(digest) || subjectOf(document) !== undefined;
    const chosen = document.kind === 'index' && !whole ? chosenChildren(children, this.#choice) : children.map(() => true);
    const needed = children.filter((_, position) => chosen[position]);
    for (const child of needed) this.#need(child, whole);
    return needed;
  }

  #need(descriptor: Descriptor, whole: boolean): void {
    if (whole) this.#whole.add(descriptor.digest);
    if (this.#needed.has(descriptor.digest)) return;
    if (roleOf(descriptor) === 'other') this.#needed.add(descriptor.digest);
    else this.#documents.set(descriptor.digest, descriptor);
  }
}
