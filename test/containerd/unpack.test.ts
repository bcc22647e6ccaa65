import { copyImage, digestBytes, parseDigest } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { chainOf } from '../../packages/core/src/stores/containerd/unpack.ts';
import { addImages, addIndex, linux, memoryStore } from '../support/images.ts';
import { fakeContainerd, refuse } from './fake.ts';
import { failureOf } from './support.ts';

const arm = { os: 'linux', architecture: 'arm64' };
const unpack = { snapshotter: 'native', platforms: [linux] };

async function twoLayers() {
  const source = memoryStore();
  await addImages(source, { name: 'docker.io/library/hello:1', layers: [{ a: '1\n' }, { b: '2\n' }] });
  return source;
}

describe('unpacking in containerd', () => {
  it('names what is made of layers by their chain', async () => {
    const ids = await Promise.all(['a', 'b', 'c'].map((text) => digestBytes(new TextEncoder().encode(text))));
    const [a, b, c] = ids;
    const ab = await digestBytes(new TextEncoder().encode(`${a} ${b}`));
    expect(await chainOf(ids)).toEqual([a, ab, await digestBytes(new TextEncoder().encode(`${ab} ${c}`))]);
    // From the worked example of the image specification: the chain of one layer is its diffID.
    expect(await chainOf([parseDigest(`sha256:${'1'.repeat(64)}`)])).toEqual([`sha256:${'1'.repeat(64)}`]);
  });

  it('makes a snapshot of each layer on its parent, before the name is there, and ties them to the config', async () => {
    const { fake, store } = await fakeContainerd({ unpack });
    let namesBefore = -1;
    const keys: string[] = [];
    fake.before = (name, { key }) => {
      if (name === 'Snapshots/Prepare') keys.push(key);
      if (name === 'Snapshots/Commit') namesBefore = fake.images.size;
    };
    await copyImage({ source: await twoLayers(), target: store, reference: 'hello:1' });
    expect(namesBefore).toBe(0);
    const [low, high] = [...fake.snapshots.values()];
    expect([low?.parent, high?.parent]).toEqual(['', low?.name]);
    expect(keys).toEqual([expect.stringMatching(/^extract-\d+-.{4} sha256:/), expect.stringMatching(/^extract-\d+-.{4} sha256:/)]);
    const labels = [...fake.content.blobs.values()].map((blob) => blob.labels);
    expect(labels).toContainEqual({ 'containerd.io/gc.ref.snapshot.native': high?.name });
    expect(labels.filter((one) => one['containerd.io/uncompressed'] !== undefined)).toHaveLength(2);
  });

  it('keeps and holds what is there already', async () => {
    const { fake, store } = await fakeContainerd({ unpack });
    const source = await twoLayers();
    await copyImage({ source, target: store, reference: 'hello:1' });
    const [, top] = [...fake.snapshots.keys()];
    fake.images.clear();
    const held: string[] = [];
    fake.before = (name, { resource }) => void (name === 'Leases/AddResource' && resource.type !== 'content' && held.push(`${resource.type} ${resource.id}`));
    const calls = fake.calls.length;
    await copyImage({ source, target: store, reference: 'hello:1' });
    expect(fake.calls.slice(calls)).not.toContain('Snapshots/Prepare');
    expect(held).toEqual([`snapshots/native ${top}`]);
  });

  it('is content with what somebody else has unpacked in the meantime', async () => {
    const { fake, store } = await fakeContainerd({ unpack });
    fake.before = (name, request) => {
      if (name !== 'Snapshots/Commit' || fake.snapshots.has(request.name)) return;
      fake.snapshots.set(request.name, { snapshotter: 'native', key: request.name });
      refuse(6, 'snapshot exists: already exists');
    };
    await copyImage({ source: await twoLayers(), target: store, reference: 'hello:1' });
    expect([...fake.snapshots.keys()].filter((key) => key.startsWith('extract-'))).toEqual([]);
    expect(fake.images.size).toBe(1);
  });

  it('of a layer that is not what the config says fails, and neither snapshot nor name stays', async () => {
    const { fake, store } = await fakeContainerd({ unpack });
    fake.applied = () => `sha256:${'0'.repeat(64)}`;
    expect(await failureOf(copyImage({ source: await twoLayers(), target: store, reference: 'hello:1' }))).toMatchObject({ code: 'DIGEST_MISMATCH', details: { actual: `sha256:${'0'.repeat(64)}` } });
    expect([fake.images.size, fake.snapshots.size, fake.leases.size]).toEqual([0, 0, 0]);
  });

  it('takes of several platforms those that are asked for', async () => {
    const { fake, store } = await fakeContainerd({ unpack: { snapshotter: 'native', platforms: [linux, arm] } });
    const source = memoryStore();
    await addIndex(source, 'example.org/multi:1', [arm, linux, { os: 'linux', architecture: 's390x' }]);
    await copyImage({ source, target: store, reference: 'example.org/multi:1' });
    expect(fake.snapshots.size).toBe(2);
  });

  it('of an image for another platform is NOT_FOUND', async () => {
    const { fake, store } = await fakeContainerd({ unpack });
    const source = memoryStore();
    await addIndex(source, 'example.org/multi:1', [arm]);
    await addImages(source, { name: 'example.org/arm:1', platform: arm });
    for (const reference of ['example.org/multi:1', 'example.org/arm:1']) {
      expect(await failureOf(copyImage({ source, target: store, reference })), reference).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('linux/amd64') });
    }
    expect(fake.images.size).toBe(0);
  });
});
