import { isOciTarError, mediaTypes } from '@oci-tar/core';
import type { ImageStore, NamedImage, OciTarError } from '@oci-tar/core';
import { addImages, listed, memoryStore } from '../support/images.ts';
import type { FakeContainerd } from './fake.ts';

export const manifestType = mediaTypes.manifest;

/** A local image with a layer of these bytes. */
export async function localImage(name: string, text = 'world\n'): Promise<{ readonly source: ImageStore; readonly image: NamedImage }> {
  const source = memoryStore();
  const [image] = await addImages(source, { name, layers: [{ hello: text }] });
  if (image === undefined) throw new Error('no image was made');
  return { source, image };
}

/** Puts an image into the fake as if it had always been there. */
export async function addImage(fake: FakeContainerd, name: string, labels: Record<string, string> = {}) {
  const { source, image } = await localImage(name, `${name}\n`);
  const layers: string[] = [];
  for await (const blob of source.blobs?.() ?? []) {
    const bytes = await collectBytes((await source.open({ ...blob, mediaType: manifestType })).read());
    await fake.content.add(Uint8Array.from(bytes), blob.digest === image.descriptor.digest ? labels : {});
    if (bytes.byteLength > 1000) layers.push(blob.digest);
  }
  const { mediaType, digest, size } = image.descriptor;
  fake.images.set(name, { name, labels: {}, target: { mediaType, digest, size, annotations: {} } });
  return { image, layers, digest };
}

export async function collectBytes(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function listedNames(store: ImageStore): Promise<readonly (string | undefined)[]> {
  return (await listed(store)).map(({ name }) => name);
}

/** The error that work ends with. */
export async function failureOf(work: Promise<unknown>): Promise<OciTarError> {
  try {
    await work;
  } catch (error) {
    if (isOciTarError(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
