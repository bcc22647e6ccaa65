import { appendToIndex, createIndex, mediaTypes, parsePlatform, pruneStore, readDocument, removeFromIndex, removeImage } from '@oci-tar/core';
import type { Descriptor, ImageStore, Platform } from '@oci-tar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addImages, addIndex, memoryStore, pushJson } from '../support/images.ts';
import { amd64, arm64, armv7, begin, json, pushAttested, pushImage, sound } from './support.ts';

const name = 'docker.io/library/multi:1';

let store: ImageStore;
beforeEach(() => {
  store = memoryStore();
});

async function addImage(reference: string, platform: Platform, file = 'x'): Promise<Descriptor> {
  const [image] = await addImages(store, { name: `docker.io/library/${reference}`, platform, layers: [{ file }] });
  if (image === undefined) throw new Error('no image');
  return image.descriptor;
}

async function children(): Promise<readonly Descriptor[]> {
  const document = await readDocument(store, (await store.resolve(name)).descriptor);
  return document?.kind === 'index' ? document.index.manifests : [];
}

describe('createIndex', () => {
  it('puts images under one name, each with the platform of its config', async () => {
    const one = await addImage('one:1', amd64);
    const two = await addImage('two:1', armv7);
    const report = await createIndex({ store, name: 'multi:1', images: ['one:1', 'two:1'], annotations: { a: 'b' } });
    expect(report.image).toMatchObject({ name, descriptor: { mediaType: mediaTypes.index } });
    const bare = ({ mediaType, digest, size }: Descriptor) => ({ mediaType, digest, size });
    expect(await json(store, report.image.descriptor)).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      annotations: { a: 'b' },
      manifests: [
        { ...bare(one), platform: amd64 },
        { ...bare(two), platform: armv7 },
      ],
    });
    expect(await sound(store)).toBe(3);
    // The index keeps them without their own names.
    for (const own of ['one:1', 'two:1']) await removeImage(store, own);
    expect(await pruneStore(store)).toMatchObject({ blobs: 0 });
    expect(await sound(store)).toBe(1);
  });

  it('gives the same index for the same images', async () => {
    await addImage('one:1', amd64);
    await addImage('two:1', arm64);
    const images = ['one:1', 'two:1'];
    const first = await createIndex({ store, name: 'a:1', images });
    expect((await createIndex({ store, name: 'b:1', images })).image.descriptor).toEqual(first.image.descriptor);
    expect((await createIndex({ store, name: 'c:1', images: ['one:1', 'two:1', 'one:1'] })).image.descriptor).toEqual(first.image.descriptor);
  });

  it('takes the children of an index, attestations among them, and of a sparse one those that are here', async () => {
    const session = await begin(store);
    await session.name('docker.io/library/attested:1', await pushAttested(session, amd64));
    const image = await pushImage(session, {}, { ...arm64 });
    const absent: Descriptor = { mediaType: mediaTypes.manifest, digest: `sha256:${'ab'.repeat(32)}`, size: 5, platform: armv7 };
    await session.name('docker.io/library/sparse:1', await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, manifests: [{ ...image.descriptor, platform: arm64 }, absent] }));
    await session.end();
    await createIndex({ store, name, images: ['attested:1', 'sparse:1'] });
    const found = await children();
    expect(found.map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'unknown', 'arm64']);
    expect(found[1]?.annotations?.['vnd.docker.reference.digest']).toBe(found[0]?.digest);
    expect(await sound(store)).toBe(3);
  });

  it('refuses two images for one platform, however it is spelled, unless the later one may replace the other', async () => {
    const one = await addImage('one:1', { os: 'linux', architecture: 'arm64' });
    const two = await addImage('two:1', { os: 'linux', architecture: 'arm64', variant: 'v8' }, 'other');
    await expect(createIndex({ store, name, images: ['one:1', 'two:1'] })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(`linux/arm64.*${one.digest}.*${two.digest}`) as string,
    });
    await expect(store.resolve(name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await createIndex({ store, name, images: ['one:1', 'two:1'], replace: true });
    expect((await children()).map(({ digest }) => digest)).toEqual([two.digest]);
  });

  it('refuses what says no platform, what is not there, and nothing', async () => {
    const session = await begin(store);
    const empty = await pushJson(session, mediaTypes.empty, 'config', {});
    await session.name('docker.io/library/artifact:1', await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, config: empty.descriptor, layers: [] }));
    await session.end();
    await expect(createIndex({ store, name, images: ['artifact:1'] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(createIndex({ store, name, images: ['none:1'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(createIndex({ store, name, images: [] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('appendToIndex', () => {
  it('adds images at the end, and keeps what else the index says', async () => {
    const session = await begin(store);
    await session.name(name, await pushAttested(session, amd64));
    await session.end();
    const two = await addImage('two:1', arm64);
    const { image } = await appendToIndex({ store, name, images: ['two:1'], annotations: { x: 'y' } });
    expect((await children()).at(-1)).toMatchObject({ digest: two.digest, platform: arm64 });
    expect(await json(store, image.descriptor)).toMatchObject({ 'org.example': { kept: [1, null] }, annotations: { x: 'y' } });
    expect(await sound(store)).toBe(2);
  });

  it('replaces an image with its attestations when it is told to', async () => {
    const session = await begin(store);
    await session.name(name, await pushAttested(session, amd64, arm64));
    await session.end();
    const before = await children();
    const other = await addImage('other:1', amd64, 'new');
    await expect(appendToIndex({ store, name, images: ['other:1'] })).rejects.toMatchObject({ code: 'CONFLICT' });
    await appendToIndex({ store, name, images: ['other:1'], replace: true });
    expect((await children()).map(({ digest }) => digest)).toEqual([other.digest, before[2]?.digest, before[3]?.digest]);
  });

  it("keeps docker's list as long as all in it is docker's", async () => {
    const session = await begin(store);
    const docker = await pushImage(session, {}, amd64, true);
    const dockerArm = await pushImage(session, {}, arm64, true);
    const oci = await pushImage(session, {}, armv7);
    await session.name(name, await pushJson(session, mediaTypes.dockerIndex, 'index', { schemaVersion: 2, mediaType: mediaTypes.dockerIndex, manifests: [{ ...docker.descriptor, platform: amd64 }] }));
    await session.name('docker.io/library/docker:1', dockerArm);
    await session.name('docker.io/library/oci:1', oci);
    await session.end();
    expect((await appendToIndex({ store, name, images: ['docker:1'] })).image.descriptor.mediaType).toBe(mediaTypes.dockerIndex);
    const { image } = await appendToIndex({ store, name, images: ['oci:1'] });
    expect(image.descriptor.mediaType).toBe(mediaTypes.index);
    expect(await json(store, image.descriptor)).toMatchObject({ mediaType: mediaTypes.index });
    expect(await sound(store)).toBe(3);
  });

  it('wants an index', async () => {
    await addImage('multi:1', amd64);
    await addImage('two:1', arm64);
    await expect(appendToIndex({ store, name, images: ['two:1'] })).rejects.toMatchObject({ code: 'CONFLICT', hint: expect.stringContaining('index create') as string });
    await expect(appendToIndex({ store, name: 'none:1', images: ['two:1'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('removeFromIndex', () => {
  it('takes a platform out, with its attestations, or a manifest by its digest', async () => {
    const session = await begin(store);
    await session.name(name, await pushAttested(session, amd64, arm64, armv7));
    await session.end();
    const before = await children();
    await removeFromIndex({ store, name, children: [parsePlatform('linux/arm64/v8')] });
    expect(await children()).toEqual([before[0], before[1], before[4], before[5]]);
    await removeFromIndex({ store, name, children: [before[4]?.digest ?? ''] });
    expect(await children()).toEqual([before[0], before[1]]);
    await removeFromIndex({ store, name, children: [before[1]?.digest ?? ''] });
    expect(await children()).toEqual([before[0]]);
    expect(await sound(store)).toBe(1);
  });

  it('says what is not in it, and leaves no index empty', async () => {
    await addIndex(store, name, [amd64, arm64]);
    const before = await store.resolve(name);
    await expect(removeFromIndex({ store, name, children: [armv7] })).rejects.toMatchObject({ code: 'NOT_FOUND', hint: 'It has linux/amd64, linux/arm64.' });
    await expect(removeFromIndex({ store, name, children: [`sha256:${'ab'.repeat(32)}`] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(removeFromIndex({ store, name, children: [amd64, arm64] })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await store.resolve(name)).toEqual(before);
  });
});
