import { verified, digestBytes } from '../bytes/digest.ts';
import { bytesSource, collect } from '../bytes/source.ts';
import { isOciTarError } from '../errors.ts';
import { openBlob } from '../image/read.ts';
import type { Content } from '../image/plan.ts';
import type { ImageStore, WriteSession } from '../image/store.ts';
import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hashAlgorithm } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { isForeignType, isIndexType, isManifestType } from '../spec/media-type.ts';
import type { Contents, Node } from './contents.ts';
import { parsedDocument } from './documents.ts';
import type { Documents, ReadDocument } from './documents.ts';
import type { Holds } from './holds.ts';
import { emptyResponse } from './message.ts';
import type { ServeRequest, ServeResponse } from './message.ts';
import { digestName } from './naming.ts';
import type { PushTarget } from './push-blobs.ts';
import { Refusal } from './refusal.ts';
import type { ManifestReference } from './route.ts';
import type { Soundness } from './soundness.ts';
import type { RepositoryView } from './view.ts';

interface Parts {
  readonly store: ImageStore;
  readonly documents: Documents;
  readonly holds: Holds;
  readonly soundness: Soundness;
  readonly limit: number;
}

/** The repository as it is before the push. */
export interface Before {
  readonly repository: RepositoryView | undefined;
  readonly contents: Contents | undefined;
}

/** Takes manifests (distribution-spec, "Pushing Manifests"). What they refer to has to be here, but for their subject. */
export class ManifestPushes {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Throws `Refusal`: 400 for what is no sound manifest or not of this digest, 404 for what it refers to and is not here, 413. */
  async put(request: ServeRequest, to: PushTarget, reference: ManifestReference, before: Before): Promise<ServeResponse> {
    const { store, limit } = this.#parts;
    if (store.begin === undefined) throw new Refusal(405, 'UNSUPPORTED', 'this registry cannot be pushed to');
    const bytes = await this.#bytes(request);
    const digest = await digestBytes(bytes, typeof reference === 'string' ? hashAlgorithm(reference) : 'sha256');
    if (typeof reference === 'string' && reference !== digest) throw new Refusal(400, 'DIGEST_INVALID', `what was sent is not ${reference}`);
    const descriptor: Descriptor = { mediaType: mediaTypeOf(request, bytes), digest, size: bytes.byteLength };
    const document = soundDocument(bytes, descriptor, limit);
    const session = await store.begin();
    try {
      if (this.#parts.soundness.wasDamaged(store, digest)) await store.discardDamaged?.({ digest });
      const children = [...document.manifests, ...document.blobs];
      await session.hold?.(children);
      for (const child of children) await this.#need(session, to, child, before);
      const content = contentOf(descriptor, () => bytesSource(bytes).read());
      await session.push(content);
      await this.#name(session, to, reference, document, content, before);
      await session.end();
      this.#parts.soundness.forget(store, digest);
      for (const child of children) await this.#parts.holds.release(to.key, child.digest);
    } catch (error) {
      await session.abort(error);
      throw error;
    }
    before.contents?.retry();
    await this.#tidy(to, document, digest, reference, before);
    const place = typeof reference === 'string' ? reference : reference.tag;
    const subject = document.subject === undefined ? {} : { 'oci-subject': document.subject.digest };
    return emptyResponse(201, { location: `/v2/${to.name}/manifests/${place}`, 'docker-content-digest': digest, ...subject });
  }

  async #bytes({ body, headers }: ServeRequest): Promise<Uint8Array> {
    const { limit } = this.#parts;
    const tooLong = () => new Refusal(413, 'MANIFEST_INVALID', `a manifest may have up to ${limit} bytes`);
    if (Number(headers['content-length'] ?? 0) > limit) throw tooLong();
    try {
      return body === undefined ? new Uint8Array() : await collect(body, limit, 'the manifest');
    } catch (error) {
      throw isOciTarError(error, 'LIMIT_EXCEEDED') ? tooLong() : error;
    }
  }

  /** Makes sure that the store has what a manifest refers to; what another place of this registry has of it is copied. */
  async #need(session: WriteSession, to: PushTarget, child: Descriptor, { contents }: Before, depth = 0): Promise<void> {
    if (await session.has(child)) return;
    const missing = () => new Refusal(404, 'MANIFEST_BLOB_UNKNOWN', `it refers to ${child.digest} (${child.mediaType}), which is not here`);
    if (depth > 8) throw missing();
    const found = await contents?.find(child.digest);
    if (found === undefined || found.store === this.#parts.store) {
      // Layers that must not be redistributed are where their URLs point.
      if (isForeignType(child.mediaType) && (child.urls?.length ?? 0) > 0) return;
      throw missing();
    }
    await this.#copy(session, to, child, found, { contents }, depth);
  }

  async #copy(session: WriteSession, to: PushTarget, child: Descriptor, { store }: Node, before: Pick<Before, 'contents'>, depth: number): Promise<void> {
    const document = await this.#parts.documents.read(store, child);
    const inside = document === undefined ? [] : [...document.manifests, ...document.blobs];
    for (const part of inside) await this.#need(session, to, part, { ...before, repository: undefined }, depth + 1);
    const source = await openBlob(store, child);
    await session.push(contentOf(child, () => verified(source.read(), child)));
  }

  /** Gives it its tag; what that was before stays known by its digest, as in every registry. */
  async #name(session: WriteSession, { key }: PushTarget, reference: ManifestReference, document: ReadDocument, content: Content, { repository, contents }: Before): Promise<void> {
    const { digest } = content.descriptor;
    // So that stores list it beside what it refers to, and not as an image of its own.
    const annotations = document.subject === undefined ? {} : { annotations: { [annotationKeys.manifestSubject]: document.subject.digest } };
    const root = { ...content, descriptor: { ...content.descriptor, ...annotations } };
    if (typeof reference === 'string') {
      if ((await contents?.find(digest))?.isManifest !== true) await session.name(digestName(key, digest), root);
      return;
    }
    await session.name(`${key}:${reference.tag}`, root);
    const earlier = repository?.tags.get(reference.tag);
    if (earlier === undefined || earlier.store !== this.#parts.store || earlier.descriptor.digest === digest) return;
    if (document.manifests.some((child) => child.digest === earlier.descriptor.digest) || isNamedTwice(repository, earlier.descriptor.digest)) return;
    await session.name(digestName(key, earlier.descriptor.digest), contentOf(earlier.descriptor, () => bytesSource(new Uint8Array()).read()));
  }

  /** Takes away the names by digest of what is reached by a tag or through an index now. */
  async #tidy({ key }: PushTarget, document: ReadDocument, digest: Digest, reference: ManifestReference, { repository }: Before): Promise<void> {
    const { store } = this.#parts;
    const reached = [...document.manifests.map((child) => child.digest), ...(typeof reference === 'string' ? [] : [digest])];
    const listed = new Set(repository?.roots.filter((root) => root.store === store).map((root) => root.descriptor.digest));
    const tagged = new Set([...(repository?.tags.values() ?? [])].map((root) => root.descriptor.digest));
    for (const child of reached) {
      if (!listed.has(child) || (tagged.has(child) && child !== digest)) continue;
      await store.remove?.(digestName(key, child)).catch((error: unknown) => {
        if (!isOciTarError(error, 'NOT_FOUND')) throw error;
      });
    }
  }
}

function isNamedTwice(repository: RepositoryView | undefined, digest: Digest): boolean {
  return [...(repository?.tags.values() ?? [])].filter((root) => root.descriptor.digest === digest).length > 1;
}

export function contentOf(descriptor: Descriptor, read: Content['read']): Content {
  const role = isIndexType(descriptor.mediaType) ? 'index' : isManifestType(descriptor.mediaType) ? 'manifest' : 'other';
  return { descriptor, role, height: 0, origins: [], read };
}

/** As the request says, or else as the manifest itself does. */
function mediaTypeOf({ headers }: ServeRequest, bytes: Uint8Array): string {
  const [stated = ''] = (headers['content-type'] ?? '').split(';');
  if (stated.trim() !== '') return stated.trim();
  const [, own = ''] = /"mediaType"\s*:\s*"([^"\\]{1,255})"/.exec(new TextDecoder().decode(bytes.subarray(0, 4096))) ?? [];
  return own;
}

function soundDocument(bytes: Uint8Array, descriptor: Descriptor, limit: number): ReadDocument {
  try {
    const document = parsedDocument(bytes, descriptor, limit);
    if (document !== undefined) return document;
  } catch (error) {
    if (!isOciTarError(error)) throw error;
    throw new Refusal(400, 'MANIFEST_INVALID', error.message);
  }
  throw new Refusal(400, 'MANIFEST_INVALID', `${JSON.stringify(descriptor.mediaType)} is not the type of a manifest that is known here`);
}
