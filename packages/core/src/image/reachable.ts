import { isOciTarError } from '../errors.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { digestsIn } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { childrenOf } from '../spec/document.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { isSchema1Type } from '../spec/media-type.ts';
import { roleOf } from './children.ts';
import { readBlob, readDocument } from './read.ts';
import type { ImageStore } from './store.ts';

export interface ReachableOptions {
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

/**
 * Everything that some descriptors lead to in a store, by reading each manifest and index once. It can be added to; what was not
 * here at one time is looked for again the next time. A subject is not followed: a signature does not keep its image.
 */
export class Reachable {
  readonly #store: ImageStore;
  readonly #options: ReachableOptions;
  readonly #reached = new Set<Digest>();
  readonly #read = new Set<Digest>();

  constructor(store: ImageStore, options: ReachableOptions = {}) {
    this.#store = store;
    this.#options = options;
  }

  has(digest: Digest): boolean {
    return this.#reached.has(digest);
  }

  /** Follows these, too. Throws for a manifest that is here and cannot be read: what it refers to cannot be told. */
  async add(roots: readonly Descriptor[]): Promise<void> {
    // A list instead of recursion: how deep indexes are nested is up to whoever made them.
    const waiting = [...roots];
    for (let descriptor = waiting.pop(); descriptor !== undefined; descriptor = waiting.pop()) {
      this.#options.signal?.throwIfAborted();
      this.#reached.add(descriptor.digest);
      if (this.#read.has(descriptor.digest)) continue;
      for (const child of await this.#childrenOf(descriptor)) waiting.push(child);
    }
  }

  async #childrenOf(descriptor: Descriptor): Promise<readonly Descriptor[]> {
    try {
      const children = roleOf(descriptor) === 'other' ? await this.#mentionedIn(descriptor) : await this.#listedIn(descriptor);
      this.#read.add(descriptor.digest);
      return children;
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND')) return [];
      throw error;
    }
  }

  /** What has to be followed further; layers and configs are done with. */
  async #listedIn(descriptor: Descriptor): Promise<readonly Descriptor[]> {
    const document = await readDocument(this.#store, descriptor, this.#options.limits);
    if (document === undefined) return [];
    const children = childrenOf(document);
    if (document.kind === 'index') return children;
    for (const { digest } of children) this.#reached.add(digest);
    return children.filter((child) => roleOf(child) !== 'other');
  }

  /**
   * In the place of a manifest, JSON of a type that is not known here (artifact manifests of old, docker's schema 1): whatever it
   * mentions may be part of it.
   */
  async #mentionedIn(descriptor: Descriptor): Promise<readonly Descriptor[]> {
    const { mediaType, size } = descriptor;
    const limit = this.#options.limits?.bytes ?? defaultLimits.bytes;
    if (size > limit || !(/[+/]json$/.test(mediaType) || isSchema1Type(mediaType))) return [];
    for (const digest of digestsIn(await readBlob(this.#store, descriptor, limit))) this.#reached.add(digest);
    return [];
  }
}
