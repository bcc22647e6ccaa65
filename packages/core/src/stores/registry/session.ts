import { collect } from '../../bytes/source.ts';
import { verified } from '../../bytes/digest.ts';
import { OciTarError } from '../../errors.ts';
import type { Content } from '../../image/plan.ts';
import { asReferrer, subjectOf } from '../../image/referrers.ts';
import type { ImageStore, WriteSession } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { parseDocument } from '../../spec/document.ts';
import { defaultLimits } from '../../spec/limits.ts';
import { isIndexType, isManifestType } from '../../spec/media-type.ts';
import { tagOfName } from '../../spec/referrer-tag.ts';
import { hasBlob } from './blobs.ts';
import { hasManifest, putManifest } from './manifests.ts';
import type { RegistryOptions } from './options.ts';
import { listReferrer } from './referrers.ts';
import type { Repository } from './repository.ts';
import { uploadBlob } from './uploads.ts';

/** Where an image comes from, when that is a repository of a registry: blobs may be mounted from there. */
export interface RegistryOrigin {
  readonly repository: Repository;
}

/** Tells a store of this folder from others. */
export type OriginOf = (store: ImageStore) => RegistryOrigin | undefined;

/** Pushes into one repository: blobs, then what refers to them, and the tags in the end. Blobs that are there stay after an abort; no tag moves. */
export class RegistrySession implements WriteSession {
  readonly #repository: Repository;
  readonly #options: RegistryOptions;
  readonly #originOf: OriginOf;
  readonly #signal: AbortSignal | undefined;
  readonly #tags: { readonly tag: string; readonly root: Content }[] = [];
  /** Manifests with a subject that the registry did not take notice of. */
  readonly #unlisted: { readonly subject: Descriptor; readonly referrer: Descriptor }[] = [];

  constructor(repository: Repository, options: RegistryOptions, originOf: OriginOf, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#options = options;
    this.#originOf = originOf;
    this.#signal = signal;
  }

  async has(blob: Pick<Descriptor, 'digest' | 'size'> & { readonly mediaType?: string }): Promise<boolean> {
    return isDocument(blob.mediaType ?? '') ? hasManifest(this.#repository, blob.digest) : hasBlob(this.#repository, blob);
  }

  async push(content: Content, options: { readonly onBytes?: (count: number) => void; readonly signal?: AbortSignal } = {}): Promise<void> {
    const { descriptor } = content;
    const signal = options.signal ?? this.#signal;
    if (!isDocument(descriptor.mediaType)) {
      await uploadBlob(this.#repository, descriptor, () => content.read(), { signal, onBytes: options.onBytes, from: this.#mountable(content) }, this.#options);
      return;
    }
    const bytes = await this.#bytesOf(content);
    const taken = await putManifest(this.#repository, descriptor.digest, descriptor, bytes, signal);
    options.onBytes?.(bytes.byteLength);
    const document = parseDocument(bytes, descriptor);
    const subject = document === undefined ? undefined : subjectOf(document);
    if (subject !== undefined && document !== undefined && taken === undefined) this.#unlisted.push({ subject, referrer: asReferrer(descriptor, document) });
  }

  async name(reference: string | undefined, root: Content): Promise<void> {
    const tag = reference === undefined ? undefined : tagOfName(reference);
    // Without a tag it is known by its digest, under which it has been put.
    if (tag !== undefined) this.#tags.push({ tag, root });
  }

  async end(): Promise<void> {
    for (const { subject, referrer } of this.#unlisted) await listReferrer(this.#repository, subject, referrer, this.#options);
    for (const { tag, root } of this.#tags) {
      this.#signal?.throwIfAborted();
      await putManifest(this.#repository, tag, root.descriptor, await this.#bytesOf(root), this.#signal);
    }
  }

  async abort(): Promise<void> {}

  /** A repository of the same registry that has the blob. */
  #mountable({ origins }: Content): string | undefined {
    for (const origin of origins) {
      const from = this.#originOf(origin)?.repository;
      if (from !== undefined && from.registry === this.#repository.registry && from.path !== this.#repository.path) return from.path;
    }
    return undefined;
  }

  async #bytesOf(content: Content): Promise<Uint8Array> {
    const { descriptor } = content;
    const { manifestLimit = defaultLimits.bytes } = this.#options;
    if (!isDocument(descriptor.mediaType)) throw new OciTarError('UNSUPPORTED', `${descriptor.mediaType} ${descriptor.digest} is no manifest, and only these have names in a registry`, { side: 'target', subject: descriptor.digest });
    return collect(verified(content.read(), { digest: descriptor.digest, size: descriptor.size }), manifestLimit, descriptor.digest);
  }
}

/** Whether a registry keeps this as a manifest, not as a blob. */
export function isDocument(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}
