import type { ImageStore } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { pullBlob } from './blobs.ts';
import { Contents } from './contents.ts';
import type { Documents } from './documents.ts';
import type { Holds } from './holds.ts';
import { referrersResponse, tagsResponse } from './listing.ts';
import { pullManifest } from './manifests.ts';
import type { ServeRequest, ServeResponse } from './message.ts';
import type { ServeLimits, ServedPlace } from './options.ts';
import type { Mountable } from './push-blobs.ts';
import { Refusal, refuse } from './refusal.ts';
import type { ReadRoute } from './route.ts';
import type { Soundness } from './soundness.ts';
import { Views } from './view.ts';
import type { RepositoryView, View } from './view.ts';

interface PullOptions {
  readonly places: readonly ServedPlace[];
  readonly writable: ImageStore | undefined;
  readonly documents: Documents;
  readonly soundness: Soundness;
  readonly holds: Holds;
  readonly limits: ServeLimits;
  readonly onLog: (line: string) => void;
}

/** The contents of so many repositories are remembered. */
const mostRepositories = 1000;

/** Everything that is read of repositories. */
export class Pulls {
  readonly #options: PullOptions;
  readonly #views: Views;
  /** By repository, with the state of it that they are of. */
  readonly #contents = new Map<string, { view: RepositoryView; readonly contents: Contents }>();

  constructor(options: PullOptions) {
    const { places, writable, onLog } = options;
    this.#options = options;
    this.#views = new Views(writable === undefined ? places : [{ store: writable }, ...places], onLog);
  }

  /** What is served now. */
  current(): Promise<View> {
    return this.#views.current();
  }

  /** Answers GET and HEAD. Throws `Refusal`. */
  async read(request: ServeRequest, route: ReadRoute, key: string, query: ReadonlyMap<string, string>, view: View): Promise<ServeResponse> {
    const repository = view.get(key);
    const contents = this.contentsOf(repository);
    if (route.kind === 'referrers') return referrersResponse(route.name, route.digest, (await contents?.documents()) ?? new Map(), query);
    if (repository === undefined && !this.#options.holds.has(key)) throw new Refusal(404, 'NAME_UNKNOWN', 'there is no such repository');
    if (route.kind === 'tags') return tagsResponse(route.name, repository?.tags.keys() ?? [], query, this.#options.limits.page);
    if (route.kind === 'blobs') {
      const { descriptor, store } = (await this.#findBlob(key, route.digest, contents)) ?? refuse(new Refusal(404, 'BLOB_UNKNOWN', 'there is no such blob in this repository'));
      return pullBlob(request, descriptor, this.#storesFrom(store), this.#options.soundness);
    }
    const unknown = () => new Refusal(404, 'MANIFEST_UNKNOWN', 'there is no such manifest in this repository');
    const { reference } = route;
    const tagged = typeof reference === 'string' ? undefined : (repository?.tags.get(reference.tag) ?? refuse(unknown()));
    const digest = typeof reference === 'string' ? reference : tagged?.descriptor.digest;
    const node = digest === undefined ? undefined : await contents?.find(digest);
    if (node === undefined || !node.isManifest) throw unknown();
    await contents?.prefer(node);
    return pullManifest(request, tagged?.descriptor ?? node.descriptor, this.#storesFrom(tagged?.store ?? node.store), this.#options.limits.manifestSize, this.#options.onLog);
  }

  /** The same as long as the repository does not change. */
  contentsOf(repository: RepositoryView | undefined): Contents | undefined {
    if (repository === undefined) return undefined;
    const { documents, limits, onLog } = this.#options;
    const known = this.#contents.get(repository.key);
    // A push adds to a repository: what is known of the rest of it is not read again.
    if (known !== undefined && (known.view === repository || known.contents.extend(repository))) {
      known.view = repository;
      return known.contents;
    }
    const contents = new Contents(repository, { documents, limit: limits.documents, onLog });
    if (this.#contents.size >= mostRepositories) this.#contents.clear();
    this.#contents.set(repository.key, { view: repository, contents });
    return contents;
  }

  async #findBlob(key: string, digest: Digest, contents: Contents | undefined): Promise<Mountable | undefined> {
    const { writable } = this.#options;
    const held: Descriptor | undefined = this.#options.holds.get(key, digest);
    if (held !== undefined && writable !== undefined) return { store: writable, descriptor: held };
    return contents?.find(digest);
  }

  /** A blob of another repository, for a mount; without `from` only one that was pushed just now. */
  async mountable(digest: Digest, from: string | undefined): Promise<Mountable | undefined> {
    const { writable } = this.#options;
    if (from === undefined) {
      const held = this.#options.holds.find(digest);
      return held === undefined || writable === undefined ? undefined : { store: writable, descriptor: held };
    }
    const view = await this.current();
    try {
      const key = view.resolve(from);
      return await this.#findBlob(key, digest, this.contentsOf(view.get(key)));
    } catch {
      // A name that is none, or means several: then it is uploaded.
      return undefined;
    }
  }

  /** Every place, this one first: what one lacks another may have. */
  #storesFrom(first: ImageStore): readonly ImageStore[] {
    const { places, writable } = this.#options;
    return [...new Set([first, ...(writable === undefined ? [] : [writable]), ...places.map(({ store }) => store)])];
  }
}
