import * as v from 'valibot';
import { isOciTarError } from '../../errors.ts';
import type { NamedImage } from '../../image/store.ts';
import { noImage } from '../../layout/find.ts';
import { completed, namedEntry } from '../../layout/names.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { mediaTypes } from '../../spec/media-type.ts';
import { digest, looseFields, size, text, texts } from '../../spec/schema.ts';
import { checkedAnswer } from './client.ts';
import type { EngineClient } from './client.ts';

const descriptorSchema = looseFields({ mediaType: text, digest, size });
const listSchema = v.array(looseFields({ Id: digest, RepoTags: v.exactOptional(texts), Size: size, Descriptor: v.exactOptional(descriptorSchema) }), 'must be an array');
const inspectSchema = looseFields({ Id: digest, RepoTags: v.exactOptional(texts) });
const infoSchema = looseFields({ DriverStatus: v.exactOptional(v.array(v.array(text))) });

type Call = { readonly signal?: AbortSignal | undefined };

/**
 * The images that the engine lists, each under each of its names. One that keeps manifests gives their descriptors; for others an image
 * stands as its config, whose digest is the image ID, with the size that the engine says.
 */
export async function listImages(client: EngineClient, { signal }: Call): Promise<readonly NamedImage[]> {
  const answer = await client.request({ method: 'GET', path: '/images/json', what: 'list its images', signal });
  const items = await checkedAnswer(client, answer, listSchema, 'the list of images');
  return items.flatMap(({ Id, RepoTags = [], Size, Descriptor: own }): readonly NamedImage[] => {
    const descriptor: Descriptor = own === undefined ? { mediaType: mediaTypes.config, digest: Id, size: Size } : { mediaType: own.mediaType, digest: own.digest, size: own.size };
    const names = RepoTags.filter((name) => !name.includes('<none>'));
    return names.length === 0 ? [{ descriptor }] : names.map((name) => ({ name: completed(name), descriptor }));
  });
}

/** What the engine knows an image by. NOT_FOUND with the names that are near. */
export async function inspectImage(client: EngineClient, reference: string, where: string, { signal }: Call): Promise<{ readonly id: string }> {
  try {
    const answer = await client.request({ method: 'GET', path: imagePath(reference, '/json'), what: `look at ${reference}`, subject: reference, signal });
    return { id: (await checkedAnswer(client, answer, inspectSchema, `what it says of ${reference}`)).Id };
  } catch (error) {
    if (!isOciTarError(error, 'NOT_FOUND')) throw error;
    const listed = await listImages(client, { signal });
    throw noImage(listed.map(({ name, descriptor }) => namedEntry(descriptor, name, 'plain')), reference, where);
  }
}

/** Takes a name away, and what nothing else needs with the last one. */
export async function removeImage(client: EngineClient, reference: string, { signal }: Call): Promise<void> {
  const answer = await client.request({ method: 'DELETE', path: imagePath(reference), what: `remove ${reference}`, subject: reference, signal });
  await answer.discard();
}

/** Whether the engine keeps images in containerd's store, with their manifests; the classic one keeps configs and unpacked layers alone. */
export async function keepsManifests(client: EngineClient, { signal }: Call): Promise<boolean> {
  const answer = await client.request({ method: 'GET', path: '/info', what: 'describe itself', signal });
  const { DriverStatus = [] } = await checkedAnswer(client, answer, infoSchema, 'what it says of itself');
  return DriverStatus.some(([key, value]) => key === 'driver-type' && value?.startsWith('io.containerd.snapshotter') === true);
}

/** Slashes of a name stay: the engine's router knows them. */
function imagePath(reference: string, suffix = ''): string {
  return `/images/${encodeURIComponent(reference).replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%40', '@')}${suffix}`;
}
