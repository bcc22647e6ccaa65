import { asReferrer, subjectOf } from '../../image/referrers.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { annotationKeys } from '../../spec/annotation.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { parseDocument } from '../../spec/document.ts';
import { parseIndex } from '../../spec/image-index.ts';
import type { ImageIndex } from '../../spec/image-index.ts';
import { stringifyJson } from '../../spec/json.ts';
import { digestBytes } from '../../bytes/digest.ts';
import { isIndexType, mediaTypes } from '../../spec/media-type.ts';
import { cosignTags, referrersTag } from '../../spec/referrer-tag.ts';
import { pagesOf } from './listing.ts';
import { fetchManifest, putManifest } from './manifests.ts';
import type { ManifestBytes } from './manifests.ts';
import type { RegistryOptions } from './options.ts';
import type { Repository } from './repository.ts';

/** A list of referrers is no longer than this. */
const mostReferrers = 100_000;

/**
 * What refers to a digest: as the referrers API lists it, or where the registry has none, the index under the tag that is made of the
 * digest (distribution-spec, "Listing Referrers"); and what cosign keeps under its own tags.
 */
export async function* referrersOf(repository: Repository, subject: Descriptor, options: RegistryOptions): AsyncGenerator<Descriptor, void, void> {
  const seen = new Set<string>();
  const fresh = (found: Descriptor): boolean => {
    if (seen.has(found.digest)) return false;
    seen.add(found.digest);
    if (seen.size > mostReferrers) throw new OciTarError('LIMIT_EXCEEDED', `${subject.digest} has more than ${mostReferrers} referrers`, { side: 'source', limit: mostReferrers, subject: subject.digest });
    return true;
  };
  const listed = await listedByApi(repository, subject);
  for (const found of listed ?? (await listedByTag(repository, subject, options))) if (fresh(found)) yield found;
  for (const tag of cosignTags(subject.digest)) {
    const manifest = await manifestAt(repository, tag, options);
    if (manifest === undefined || !fresh(manifest.descriptor)) continue;
    const document = parseDocument(manifest.bytes, manifest.descriptor);
    yield document === undefined ? manifest.descriptor : asReferrer(manifest.descriptor, document);
  }
}

/** Undefined where the registry has no such API. */
async function listedByApi(repository: Repository, { digest }: Descriptor): Promise<readonly Descriptor[] | undefined> {
  const found: Descriptor[] = [];
  let known = false;
  const ask = (request: Parameters<Repository['read']>[1]) => repository.read('pull', request);
  // Registries without it answer 404, some 400 or 405; an artifact registry of old says 200 to a page for people.
  for await (const document of pagesOf(ask, `referrers/${digest}`, { headers: { accept: mediaTypes.index }, expect: [400, 404, 405], mediaType: mediaTypes.index })) {
    known = true;
    found.push(...parseIndex(stringifyJson(document), { mediaType: mediaTypes.index, subject: `the referrers of ${digest}` }).manifests);
  }
  return known ? found : undefined;
}

async function listedByTag(repository: Repository, { digest }: Descriptor, options: RegistryOptions): Promise<readonly Descriptor[]> {
  return (await indexAt(repository, referrersTag(digest), options))?.manifests ?? [];
}

/** Lists a manifest under its subject's tag, for a registry that does not keep track of subjects by itself (distribution-spec, "Referrers Tag Schema"). */
export async function listReferrer(repository: Repository, subject: Descriptor, referrer: Descriptor, options: RegistryOptions): Promise<void> {
  const tag = referrersTag(subject.digest);
  const index = await indexAt(repository, tag, options);
  const listed = index?.manifests ?? [];
  if (listed.some(({ digest }) => digest === referrer.digest)) return;
  await putList(repository, tag, [...listed, referrer], index, options);
}

/** Takes a manifest that was removed off the list under its subject's tag, where the registry does not do that by itself (distribution-spec, "Deleting Manifests"). */
export async function unlistReferrer(repository: Repository, subject: Descriptor, removed: string, options: RegistryOptions): Promise<void> {
  if ((await listedByApi(repository, subject)) !== undefined) return;
  const tag = referrersTag(subject.digest);
  const index = await indexAt(repository, tag, options);
  const kept = index?.manifests.filter(({ digest }) => digest !== removed) ?? [];
  if (index !== undefined && kept.length < index.manifests.length) await putList(repository, tag, kept, index, options);
}

/** What a manifest says it refers to; undefined for one that is not there, or cannot be read: that has to be removable, too. */
export async function subjectAt(repository: Repository, digest: Digest, options: RegistryOptions): Promise<Descriptor | undefined> {
  try {
    const { bytes, descriptor } = await fetchManifest(repository, digest, options);
    const document = parseDocument(bytes, descriptor);
    return document === undefined ? undefined : subjectOf(document);
  } catch (error) {
    if (isOciTarError(error)) return undefined;
    throw error;
  }
}

async function putList(repository: Repository, tag: string, manifests: readonly Descriptor[], before: ImageIndex | undefined, options: RegistryOptions): Promise<void> {
  const bytes = stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests, ...(before?.annotations === undefined ? {} : { annotations: before.annotations }) });
  await putManifest(repository, tag, { mediaType: mediaTypes.index, digest: await digestBytes(bytes), size: bytes.byteLength }, bytes, options.signal);
}

async function indexAt(repository: Repository, tag: string, options: RegistryOptions): Promise<ImageIndex | undefined> {
  const manifest = await manifestAt(repository, tag, options);
  if (manifest === undefined || !isIndexType(manifest.descriptor.mediaType)) return undefined;
  return parseIndex(manifest.bytes, { mediaType: manifest.descriptor.mediaType, subject: `${repository.name}:${tag}` });
}

async function manifestAt(repository: Repository, tag: string, options: RegistryOptions): Promise<ManifestBytes | undefined> {
  try {
    return await fetchManifest(repository, tag, options);
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** An entry as a list of referrers has it: without what our own layouts say of it. */
export function referrerEntry({ annotations, ...descriptor }: Descriptor): Descriptor {
  const { [annotationKeys.manifestSubject]: _subject, ...others } = annotations ?? {};
  return Object.keys(others).length === 0 ? descriptor : { ...descriptor, annotations: others };
}
