import { describe, expect, it } from 'vitest';
import { isOciTarError, makePlan, parsePlatform } from '@oci-tar/core';
import type { ImageStore, NamedImage, Plan } from '@oci-tar/core';
import { memoryDriver } from '@oci-tar/core';
import { addImages, addIndex, memoryStore } from '../support/images.ts';

const amd64 = parsePlatform('linux/amd64');
const arm64 = parsePlatform('linux/arm64');

/** A store whose blobs of some digests are gone. */
function without(store: ImageStore, ...digests: readonly string[]): ImageStore {
  return {
    name: store.name,
    images: () => store.images(),
    resolve: (reference) => store.resolve(reference),
    close: () => store.close(),
    open: (blob) => (digests.includes(blob.digest) ? memoryStore().open(blob) : store.open(blob)),
  };
}

async function childOf(store: ImageStore, image: NamedImage, platform: typeof amd64): Promise<Plan> {
  return makePlan(store, [image], { platforms: [platform] });
}

const roles = (plan: Plan) => [...plan.contents.values()].map(({ role }) => role);

describe('a plan', () => {
  it('lists everything that an image is made of once, children before their parents', async () => {
    const store = memoryStore();
    const images = await addImages(store, { name: 'a:1', layers: [{ x: '1' }, { y: '2' }, { x: '1' }] }, { name: 'b:1', layers: [{ x: '1' }] });
    const plan = await makePlan(store, images);
    expect(roles(plan)).toEqual(['config', 'layer', 'layer', 'manifest', 'config', 'manifest']);
    expect(plan.size).toBe([...plan.contents.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0));
    expect(plan.gaps).toEqual([]);
  });

  it('takes the whole index by default, and leaves out a child that the source does not have', async () => {
    const store = memoryStore();
    const image = await addIndex(store, 'multi:1', [amd64, arm64]);
    expect(roles(await makePlan(store, [image]))).toEqual(['config', 'layer', 'manifest', 'config', 'layer', 'manifest', 'index']);
    const arm = [...(await childOf(store, image, arm64)).contents.values()].find(({ role }) => role === 'manifest');
    const sparse = await makePlan(without(store, arm?.descriptor.digest ?? ''), [image]);
    expect(roles(sparse)).toEqual(['config', 'layer', 'manifest', 'index']);
    expect(sparse.gaps).toMatchObject([{ descriptor: { digest: arm?.descriptor.digest }, why: 'absent' }]);
  });

  it('leaves a child out whole when one of its layers is absent', async () => {
    const store = memoryStore();
    const image = await addIndex(store, 'multi:1', [amd64, arm64]);
    const layer = [...(await childOf(store, image, arm64)).contents.values()].find(({ role }) => role === 'layer');
    const plan = await makePlan(without(store, layer?.descriptor.digest ?? ''), [image]);
    expect(roles(plan)).toEqual(['config', 'layer', 'manifest', 'index']);
    await expect(makePlan(without(store, layer?.descriptor.digest ?? ''), [image], { platforms: 'all' })).rejects.toSatisfy((error) => isOciTarError(error, 'NOT_FOUND'));
    await expect(childOf(without(store, layer?.descriptor.digest ?? ''), image, arm64)).rejects.toSatisfy((error) => isOciTarError(error, 'NOT_FOUND'));
  });

  it('takes the platforms that are asked for, the index unchanged, and says what was filtered', async () => {
    const store = memoryStore();
    const image = await addIndex(store, 'multi:1', [amd64, arm64]);
    const plan = await childOf(store, image, arm64);
    expect(roles(plan)).toEqual(['config', 'layer', 'manifest', 'index']);
    expect(plan.contents.has(image.descriptor.digest)).toBe(true);
    expect(plan.gaps).toMatchObject([{ why: 'filtered', descriptor: { platform: amd64 } }]);
  });

  it('names the platforms that there are when none fits, of an index and of a single image', async () => {
    const store = memoryStore();
    const index = await addIndex(store, 'multi:1', [amd64, arm64]);
    const [single] = await addImages(store, { name: 'single:1' });
    for (const image of [index, single]) {
      if (image === undefined) throw new Error('no image');
      const planned = makePlan(store, [image], { platforms: [parsePlatform('linux/s390x')] });
      await expect(planned).rejects.toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('linux/amd64') as string });
    }
  });

  it('fails on an image that lacks a layer, naming it', async () => {
    const store = memoryStore();
    const [image] = await addImages(store, { name: 'a:1' });
    if (image === undefined) throw new Error('no image');
    const plan = await makePlan(store, [image]);
    const layer = [...plan.contents.values()].find(({ role }) => role === 'layer');
    const digest = layer?.descriptor.digest ?? '';
    await expect(makePlan(without(store, digest), [image])).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining(digest) as string });
  });

  it('fails on a manifest whose bytes are not those of its digest', async () => {
    const driver = memoryDriver();
    const store = memoryStore(driver);
    const [image] = await addImages(store, { name: 'a:1' });
    if (image === undefined) throw new Error('no image');
    const bad: ImageStore = {
      ...without(store),
      async open(blob) {
        const source = await store.open(blob);
        if (blob.digest !== image.descriptor.digest) return source;
        return {
          size: source.size,
          async *read() {
            for await (const chunk of source.read()) yield chunk.map((byte, at) => (at === 5 ? byte ^ 1 : byte));
          },
        };
      },
    };
    await expect(makePlan(bad, [image])).rejects.toSatisfy((error) => isOciTarError(error, 'DIGEST_MISMATCH'));
  });
});

describe('a platform', () => {
  const store = memoryStore();
  const all = ['linux/386', 'linux/amd64', 'linux/arm/v6', 'linux/arm/v5', 'linux/arm64/v8'].map((text) => parsePlatform(text));

  it.each([
    ['linux/amd64', ['linux/amd64']],
    ['linux/arm64', ['linux/arm64/v8']],
    ['linux/arm/v7', ['linux/arm/v6']],
    ['linux/arm/v5', ['linux/arm/v5']],
  ])('%s takes what is exactly it, or the best that runs on it', async (wanted, expected) => {
    const image = await addIndex(store, `of:${wanted.replaceAll('/', '-')}`, all);
    const plan = await makePlan(store, [image], { platforms: [parsePlatform(wanted)] });
    const taken = [...plan.contents.values()].flatMap(({ descriptor: { platform } }) => (platform === undefined ? [] : [platform]));
    expect(taken).toEqual(expected.map((text) => parsePlatform(text)));
  });
});
