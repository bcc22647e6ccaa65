import { describe, expect, it } from 'vitest';
import { digestBytes, isOciTarError, layoutStore, makePlan, mediaTypes, memoryDriver, verifyImages } from '@oci-tar/core';
import type { Descriptor, Digest, ImageStore, NamedImage } from '@oci-tar/core';

const octets = 'application/octet-stream';
const empty = 'application/vnd.oci.empty.v1+json';
const nowhere: Digest = `sha256:${'0'.repeat(64)}`;

/** Blobs of any kind in a store, as an archive from a stranger may have them. */
class Blobs {
  readonly #driver = memoryDriver();
  readonly store: ImageStore = layoutStore(this.#driver);

  async add(mediaType: string, value: object | Uint8Array): Promise<Descriptor> {
    const bytes = value instanceof Uint8Array ? value : new TextEncoder().encode(JSON.stringify(value));
    const writer = await this.#driver.blobWriter();
    await writer.write(bytes);
    return { mediaType, ...(await writer.commit()) };
  }

  async manifest(config: Descriptor, ...layers: readonly Descriptor[]): Promise<Descriptor> {
    return this.add(mediaTypes.manifest, { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers });
  }

  /** Something that is no image and carries these blobs. */
  async artifact(...blobs: readonly Descriptor[]): Promise<NamedImage> {
    return { name: 'artifact', descriptor: await this.manifest(await this.add(empty, {}), ...blobs) };
  }

  async config(...diffIDs: readonly Digest[]): Promise<Descriptor> {
    return this.add(mediaTypes.config, { architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIDs } });
  }

  async codes(...images: readonly NamedImage[]): Promise<readonly string[]> {
    return (await verifyImages(this.store, images)).problems.map(({ code }) => code);
  }
}

describe('a blob that two images take for different things', () => {
  it('is checked as a layer too, after it was met as something else', async () => {
    const blobs = new Blobs();
    const layer = await blobs.add(mediaTypes.layer, new Uint8Array(1024));
    const artifact = await blobs.artifact({ ...layer, mediaType: octets });
    const image = { name: 'image', descriptor: await blobs.manifest(await blobs.config(nowhere), layer) };
    expect(await blobs.codes(image)).toEqual(['DIGEST_MISMATCH']);
    expect(await blobs.codes(artifact, image)).toEqual(['DIGEST_MISMATCH']);
    const sound = { name: 'sound', descriptor: await blobs.manifest(await blobs.config(await digestBytes(new Uint8Array(1024))), layer) };
    expect(await verifyImages(blobs.store, [artifact, sound])).toMatchObject({ problems: [], blobs: 5 });
  });

  it('is followed as a manifest too, after it was met as a layer', async () => {
    const blobs = new Blobs();
    const broken = await blobs.manifest({ mediaType: mediaTypes.config, digest: nowhere, size: 5 });
    const carrier = await blobs.artifact({ ...broken, mediaType: octets });
    const image = { name: 'broken', descriptor: broken };
    expect(await blobs.codes(image)).toEqual(['NOT_FOUND']);
    expect(await blobs.codes(carrier, image)).toEqual(['NOT_FOUND']);
  });

  it('has one size: an image that says another is found out by verify and by a plan', async () => {
    const blobs = new Blobs();
    const blob = await blobs.add(octets, new Uint8Array(1024));
    const right = await blobs.artifact(blob);
    const wrong = await blobs.artifact({ ...blob, size: 77 });
    expect(await blobs.codes(right, wrong)).toEqual(['SIZE_MISMATCH']);
    await expect(makePlan(blobs.store, [right, wrong])).rejects.toSatisfy((error) => isOciTarError(error, 'SIZE_MISMATCH'));
  });

  it('has one size as a manifest as well', async () => {
    const blobs = new Blobs();
    const { descriptor } = await blobs.artifact();
    const index = (size: number) => blobs.add(mediaTypes.index, { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{ ...descriptor, size }] });
    const images = [{ descriptor: await index(descriptor.size) }, { descriptor: await index(descriptor.size + 1) }];
    await expect(makePlan(blobs.store, images)).rejects.toSatisfy((error) => isOciTarError(error, 'SIZE_MISMATCH'));
    expect(await blobs.codes(...images)).toEqual(['SIZE_MISMATCH']);
  });
});
