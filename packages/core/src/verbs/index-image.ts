import { childrenOfImage, finishedIndex, newIndex, readEditedIndex, withAnnotations, withChildren, withoutChildren } from '../edit/index-image.ts';
import type { EditedIndex } from '../edit/index-image.ts';
import { OciTarError } from '../errors.ts';
import { makePlan } from '../image/make-plan.ts';
import { transfer } from '../image/push.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import type { Annotations } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseDigest } from '../spec/digest.ts';
import type { Platform } from '../spec/platform.ts';
import { normalizeName } from '../spec/reference.ts';

export interface IndexRequest {
  /** Where the images are, and where the index goes. */
  readonly store: ImageStore;
  /** The index. */
  readonly name: string;
  /** Images for one platform, or indexes, whose children are taken. */
  readonly images: readonly string[];
  /** Of the index. */
  readonly annotations?: Annotations;
  /** An image for a platform that is taken goes in the place of the other one. */
  readonly replace?: boolean;
  readonly signal?: AbortSignal;
}

export interface IndexReport {
  readonly image: NamedImage;
  /** What the index lists. */
  readonly children: readonly Descriptor[];
}

/**
 * Puts images together under one name, an index with a manifest for each platform; no blob of theirs is read or written. The same images
 * in the same order give the same index. CONFLICT for two images of one platform.
 */
export async function createIndex(request: IndexRequest): Promise<IndexReport> {
  if (request.images.length === 0) throw new OciTarError('INVALID_ARGUMENT', 'name at least one image for the index');
  return finished(request, await extended(request, newIndex));
}

/** Adds images to an index, whose name moves to the new one. NOT_FOUND, CONFLICT. */
export async function appendToIndex(request: IndexRequest): Promise<IndexReport> {
  return finished(request, await extended(request, await readEditedIndex(request.store, await request.store.resolve(request.name))));
}

export interface IndexRemoval extends Pick<IndexRequest, 'store' | 'name' | 'annotations' | 'signal'> {
  /** Platforms, or digests of manifests. */
  readonly children: readonly (Platform | string)[];
}

/** Takes images out of an index, with the attestations that describe them; its name moves to the new one. Blobs stay until `pruneStore`. */
export async function removeFromIndex(request: IndexRemoval): Promise<IndexReport> {
  let index = await readEditedIndex(request.store, await request.store.resolve(request.name));
  for (const child of request.children) {
    index = withoutChildren(index, typeof child === 'string' ? { digest: parseDigest(child) } : { platform: child });
  }
  if (index.children.length > 0) return finished(request, withAnnotations(index, request.annotations ?? {}));
  throw new OciTarError('CONFLICT', `nothing would be left of ${request.name}`, { subject: request.name, hint: 'To remove it: oci-tar rm' });
}

async function extended({ store, images, annotations = {}, replace = false }: IndexRequest, start: EditedIndex): Promise<EditedIndex> {
  let index = start;
  for (const reference of images) index = withChildren(index, await childrenOfImage(store, await store.resolve(reference)), replace);
  return withAnnotations(index, annotations);
}

async function finished({ store, name, signal }: Pick<IndexRequest, 'store' | 'name' | 'signal'>, index: EditedIndex): Promise<IndexReport> {
  const options = signal === undefined ? {} : { signal };
  const { descriptor, source } = await finishedIndex(store, index);
  const image: NamedImage = { name: normalizeName(name), descriptor };
  await transfer(await makePlan(source, [image], options), store, options);
  return { image, children: index.children };
}
