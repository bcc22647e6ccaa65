import { verified } from '../../bytes/digest.ts';
import { bytesSource, collect } from '../../bytes/source.ts';
import { OciTarError } from '../../errors.ts';
import { eachOf } from '../../image/each.ts';
import type { ImageStore } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { isDigest } from '../../spec/digest.ts';
import { formatReference, parseReference, repositoryOf, withDefaultTag } from '../../spec/reference.ts';
import type { Reference } from '../../spec/reference.ts';
import { blobSource } from './blobs.ts';
import { textsOf } from './listing.ts';
import { deleteManifest, fetchManifest, resolveManifest } from './manifests.ts';
import { defaultConnections } from './options.ts';
import type { RegistryOptions } from './options.ts';
import { Recent } from './recent.ts';
import { referrersOf, subjectAt, unlistReferrer } from './referrers.ts';
import { RegistryHosts, Repository } from './repository.ts';
import { RegistrySession, isDocument } from './session.ts';
import type { RegistryOrigin } from './session.ts';

const origins = new WeakMap<ImageStore, RegistryOrigin>();

/**
 * One repository of a registry (OCI distribution-spec 1.1) as a place for images, `host/name`. Nothing is asked before it is needed. What it
 * hands out is raw; whoever copies it verifies. Errors: UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TIMEOUT, REGISTRY with the status in `actual`.
 */
export function registryStore(repository: string, options: RegistryOptions = {}): ImageStore {
  const hosts = new RegistryHosts(parseReference(repository).domain, options);
  const place = new Repository(hosts, parseReference(repository));
  const recent = new Recent();
  const documentAt = async (blob: Descriptor): Promise<Uint8Array> => {
    const { descriptor, bytes } = await fetchManifest(place, blob.digest, options);
    if (descriptor.size !== blob.size) throw new OciTarError('SIZE_MISMATCH', `manifest ${blob.digest} has ${descriptor.size} bytes, expected ${blob.size}`, { side: 'source', expected: blob.size, actual: descriptor.size, subject: blob.digest });
    recent.add(blob.digest, bytes);
    return bytes;
  };
  const fetched = async (blob: Descriptor): Promise<void> => {
    if (isDocument(blob.mediaType)) await documentAt(blob);
    else recent.add(blob.digest, await collect(verified(blobSource(place, blob, options).read(), blob), blob.size, blob.digest));
  };
  const store: ImageStore = {
    name: place.name,
    connections: options.connections ?? defaultConnections,
    async *images() {
      const tags: string[] = [];
      for await (const tag of tagsOf(place)) tags.push(tag);
      const found = new Map<string, Descriptor>();
      await eachOf(tags, options.connections ?? defaultConnections, async (tag) => void found.set(tag, await resolveManifest(place, tag, options)), options.signal);
      for (const tag of tags) {
        const descriptor = found.get(tag);
        if (descriptor !== undefined) yield { name: `${place.name}:${tag}`, descriptor };
      }
    },
    async resolve(reference) {
      const { name, target } = within(place, reference);
      return { ...(name === undefined ? {} : { name }), descriptor: await resolveManifest(place, target, options) };
    },
    async open(blob) {
      const kept = recent.get(blob.digest);
      if (kept?.byteLength === blob.size) return bytesSource(kept);
      return isDocument(blob.mediaType) ? bytesSource(await documentAt(blob)) : blobSource(place, blob, options);
    },
    async prefetch(blobs) {
      const missing = blobs.filter((blob) => Recent.takes(blob) && recent.get(blob.digest) === undefined);
      // What fails is told of when it is read.
      await eachOf(missing, options.connections ?? defaultConnections, (blob) => fetched(blob).catch(() => {}), options.signal);
    },
    // What would cost a request for each manifest is not looked up on the way.
    async *referrers(subject, { quick } = {}) {
      if (quick !== true) yield* referrersOf(place, subject, options);
    },
    begin: async (_plan, { signal } = {}) => new RegistrySession(place, options, (origin) => origins.get(origin), signal ?? options.signal),
    async remove(reference) {
      const { target } = within(place, reference);
      const subject = isDigest(target) ? await subjectAt(place, target, options) : undefined;
      await deleteManifest(place, target);
      if (subject !== undefined) await unlistReferrer(place, subject, target, options);
    },
    close: () => hosts.close(),
  };
  origins.set(store, { repository: place });
  return store;
}

/** The tags of a repository, as the registry sorts them. */
export async function* listTags(repository: string, options: RegistryOptions = {}): AsyncGenerator<string, void, void> {
  const hosts = new RegistryHosts(parseReference(repository).domain, options);
  try {
    yield* tagsOf(new Repository(hosts, parseReference(repository)));
  } finally {
    await hosts.close();
  }
}

/** The repositories of a registry (`host[:port]`). Many registries show nobody all of them: UNAUTHORIZED, NOT_FOUND. */
export async function* listRepositories(registry: string, options: RegistryOptions = {}): AsyncGenerator<string, void, void> {
  const hosts = new RegistryHosts(registry, options);
  try {
    const client = await hosts.own();
    if (client !== undefined) yield* textsOf((request) => client.request({ ...request, scopes: ['registry:catalog:*'] }), '_catalog', 'repositories');
  } finally {
    await hosts.close();
  }
}

/** Asks a registry whether it takes the credentials that are kept for it. UNAUTHORIZED when not. */
export async function pingRegistry(registry: string, options: RegistryOptions = {}): Promise<void> {
  const hosts = new RegistryHosts(registry, options);
  try {
    const client = await hosts.own();
    await (await client?.request({ method: 'GET', path: '', scopes: [] }))?.discard();
  } finally {
    await hosts.close();
  }
}

function tagsOf(place: Repository): AsyncGenerator<string, void, void> {
  return textsOf((request) => place.read('resolve', request), 'tags/list', 'tags');
}

/** What a reference means in this repository: a whole name, a bare tag or a digest. */
function within(place: Repository, reference: string): { readonly target: string; readonly name?: string } {
  if (isDigest(reference)) return { target: reference };
  const parsed = /[/:@]/.test(reference) ? parseReference(reference) : tagged(place, reference);
  if (repositoryOf(parsed) !== place.name) throw new OciTarError('NOT_FOUND', `${reference} is not in ${place.name}`, { subject: reference });
  const full = withDefaultTag(parsed);
  const name = full.tag === undefined ? {} : { name: formatReference({ domain: full.domain, path: full.path, tag: full.tag }) };
  return { target: full.digest ?? full.tag ?? 'latest', ...name };
}

function tagged(place: Repository, tag: string): Reference {
  return parseReference(`${place.name}:${tag}`);
}

