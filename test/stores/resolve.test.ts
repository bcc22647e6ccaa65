import { exportImages, layoutStore, memoryDriver, removeImage, tarReader } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addImages, listed } from '../support/images.ts';
import { MemorySink } from '../support/sinks.ts';

const [one, two] = ['docker.io/library/one:v1', 'example.org/two:v1'];

describe('a reference, in a layout that spells names as archives do', () => {
  let store: ImageStore;
  let digests: readonly (string | undefined)[];
  beforeEach(async () => {
    store = layoutStore(memoryDriver(), { mayBeNew: true, style: 'archive' });
    const images = await addImages(store, { name: one }, { name: two, layers: [{ two: '2' }] }, { name: 'example.org/three:only', layers: [{ three: '3' }] });
    digests = images.map(({ descriptor }) => descriptor.digest);
  });

  it.each([
    [one, 0],
    ['one:v1', 0],
    [two, 1],
    ['only', 2],
  ] as const)('%s means one image', async (reference, position) => {
    expect((await store.resolve(reference)).descriptor.digest).toBe(digests[position]);
  });

  it('that is a tag of several images means none of them', async () => {
    await expect(store.resolve('v1')).rejects.toMatchObject({ code: 'CONFLICT', hint: expect.stringContaining('one:v1, example.org/two:v1') as string });
    await expect(removeImage(store, 'v1')).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await listed(store)).toHaveLength(3);
  });

  it('removes the image that it means, and no other with the same tag', async () => {
    await removeImage(store, 'one:v1');
    expect((await listed(store)).map(({ name }) => name)).toEqual([two, 'example.org/three:only']);
    await removeImage(store, 'v1');
    expect((await listed(store)).map(({ name }) => name)).toEqual(['example.org/three:only']);
  });

  it('by digest gives the image a full name', async () => {
    const byDigest = `one@${String(digests[0])}`;
    expect(await store.resolve(byDigest)).toMatchObject({ name: `docker.io/library/${byDigest}`, descriptor: { digest: digests[0] } });
    const output = new MemorySink();
    await exportImages({ source: store, references: [byDigest], output });
    expect(await listed(layoutStore(await tarReader(output.source())))).toMatchObject([{ name: `docker.io/library/${byDigest}` }]);
  });
});
