import { roleOf } from '../image/children.ts';
import { chosenChildren } from '../image/platform-choice.ts';
import type { PlatformChoice } from '../image/platform-choice.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { childrenOf, parseDocument } from '../spec/document.ts';
import type { ImageIndex } from '../spec/image-index.ts';
import type { JsonLimits } from '../spec/limits.ts';

/** What is known, in the middle of reading an archive from a pipe, of what the archive's images need. */
export class Wanted {
  readonly #choice: PlatformChoice;
  readonly #limits: JsonLimits;
  /** Manifests and indexes that are needed and have not been read. */
  readonly #documents = new Map<Digest, Descriptor>();
  readonly #needed = new Set<Digest>();
  #begun = false;

  constructor(choice: PlatformChoice, limits: JsonLimits) {
    this.#choice = choice;
    this.#limits = limits;
  }

  /** The archive's index.json has come. */
  begin(index: ImageIndex): void {
    this.#begun = true;
    for (const descriptor of index.manifests) this.#need(descriptor);
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

  /** A document has come: its children are needed too. */
  read(digest: Digest, bytes: Uint8Array): void {
    const descriptor = this.#documents.get(digest);
    if (descriptor === undefined) return;
    this.#documents.delete(digest);
    this.#needed.add(digest);
    const document = parseDocument(bytes, descriptor, { limits: this.#limits });
    if (document === undefined) return;
    const children = childrenOf(document);
    const chosen = document.kind === 'index' ? chosenChildren(children, this.#choice) : children.map(() => true);
    for (const [position, child] of children.entries()) if (chosen[position]) this.#need(child);
  }

  #need(descriptor: Descriptor): void {
    if (this.#needed.has(descriptor.digest)) return;
    if (roleOf(descriptor) === 'other') this.#needed.add(descriptor.digest);
    else this.#documents.set(descriptor.digest, descriptor);
  }
}
