import { isOciTarError } from '../errors.ts';
import { bytesSource } from '../bytes/source.ts';
import type { ImageStore } from '../image/store.ts';
import type { Digest } from '../spec/digest.ts';
import type { Contents } from './contents.ts';
import type { Holds } from './holds.ts';
import { emptyResponse } from './message.ts';
import type { ServeResponse } from './message.ts';
import { digestName } from './naming.ts';
import type { Before } from './push-manifests.ts';
import { contentOf } from './push-manifests.ts';
import { Refusal } from './refusal.ts';
import type { Root } from './view.ts';

/**
 * Removes tags, manifests and blobs (distribution-spec, "Content Management") from what is listed; their space is freed by a prune.
 * What some other manifest needs stays: 405.
 */
export class Removals {
  readonly #store: ImageStore;
  readonly #holds: Holds;

  constructor(store: ImageStore, holds: Holds) {
    this.#store = store;
    this.#holds = holds;
  }

  /** A tag goes; its manifest stays, known by its digest. */
  async tag(key: string, tag: string, { repository }: Before): Promise<ServeResponse> {
    const root = repository?.tags.get(tag);
    if (repository === undefined || root === undefined) throw new Refusal(404, 'MANIFEST_UNKNOWN', 'there is no such tag');
    this.#checkOurs(root);
    const { digest } = root.descriptor;
    const others = [...repository.tags].some(([name, other]) => name !== tag && other.descriptor.digest === digest);
    if (!others) await this.#keepDigest(key, root);
    await this.#remove(root);
    return emptyResponse(202);
  }

  /** A manifest goes, with all its tags. */
  async manifest(key: string, digest: Digest, { repository, contents }: Before): Promise<ServeResponse> {
    const roots = repository?.roots.filter((root) => root.descriptor.digest === digest) ?? [];
    if (repository === undefined || roots.length === 0) {
      if ((await contents?.find(digest))?.isManifest === true) throw needed();
      throw new Refusal(404, 'MANIFEST_UNKNOWN', 'there is no such manifest in this repository');
    }
    for (const root of roots) this.#checkOurs(root);
    await this.#checkFree(digest, contents);
    for (const root of new Set([...repository.tags.values(), ...roots])) if (root.descriptor.digest === digest) await this.#remove(root);
    await this.#remove({ name: digestName(key, digest), descriptor: { digest } });
    return emptyResponse(202);
  }

  /** A blob goes that was pushed and that no manifest has come for. */
  async blob(key: string, digest: Digest, { contents }: Before): Promise<ServeResponse> {
    if ((await contents?.find(digest)) !== undefined) throw needed();
    if (await this.#holds.release(key, digest)) return emptyResponse(202);
    throw new Refusal(404, 'BLOB_UNKNOWN', 'there is no such blob in this repository');
  }

  async #checkFree(digest: Digest, contents: Contents | undefined): Promise<void> {
    for (const document of (await contents?.documents())?.values() ?? []) if (document.manifests.some((child) => child.digest === digest)) throw needed();
  }

  async #keepDigest(key: string, { descriptor }: Root): Promise<void> {
    const session = await this.#store.begin?.();
    if (session === undefined) return;
    try {
      await session.name(digestName(key, descriptor.digest), contentOf(descriptor, () => bytesSource(new Uint8Array()).read()));
      await session.end();
    } catch (error) {
      await session.abort(error);
      throw error;
    }
  }

  #checkOurs({ store }: Root): void {
    if (store !== this.#store || this.#store.remove === undefined) throw new Refusal(405, 'UNSUPPORTED', 'this image is in a place that is only read');
  }

  /** By the name that the place has for it. */
  async #remove({ name, descriptor: { digest } }: { readonly name?: string; readonly descriptor: { readonly digest: Digest } }): Promise<void> {
    await this.#store.remove?.(name ?? digest).catch((error: unknown) => {
      if (!isOciTarError(error, 'NOT_FOUND')) throw error;
    });
  }
}

function needed(): Refusal {
  return new Refusal(405, 'UNSUPPORTED', 'another manifest of this repository needs it: delete that first');
}
