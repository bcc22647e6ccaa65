import { copyImage, localStore, registryStore, removeImage, verifyImages } from '@oci-tar/core';
import type { ImageStore, RegistryOptions } from '@oci-tar/core';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { addImages, addIndex, linux, memoryStore } from '../support/images.ts';
import { addReferrer } from '../support/referrers.ts';
import { largeText } from '../registry/support.ts';
import { describeWith } from './peers/peer.ts';
import { distribution } from './peers/registry.ts';
import { skopeo } from './peers/skopeo.ts';
import { run } from './peers/tool.ts';

const options: RegistryOptions = { credentials: { find: async () => undefined, save: async () => '', remove: async () => [] } };
const name = 'docker.io/library/hello:1';

async function push(source: ImageStore, target: string, reference = name, more: object = {}): Promise<void> {
  const store = registryStore(target, options);
  await copyImage({ source, target: store, reference, name: target, ...more }).finally(() => store.close());
}

async function hello(): Promise<ImageStore> {
  const store = memoryStore();
  await addImages(store, { name, layers: [{ text: largeText(3) }, { b: 'two' }] });
  return store;
}

describeWith('the registry of distribution', { ...distribution, tools: ['docker-registry', 'skopeo'] }, (lent) => {
  it('takes what we push and gives it to skopeo, and the other way round, under the same digest', async () => {
    const { peer, directory } = lent();
    const source = await hello();
    const { digest } = (await source.resolve(name)).descriptor;
    await push(source, `${peer.host}/team/app:1`);
    const tool = await skopeo.start(directory);
    const inspected = JSON.parse(await tool('inspect', '--tls-verify=false', `docker://${peer.host}/team/app:1`)) as { Digest: string };
    expect(inspected.Digest).toBe(digest);
    await tool('copy', '--preserve-digests', '--src-tls-verify=false', '--dest-tls-verify=false', `docker://${peer.host}/team/app:1`, `docker://${peer.host}/team/copy:1`);
    const pulled = await localStore(join(directory, 'store'));
    const from = registryStore(`${peer.host}/team/copy:1`, options);
    await copyImage({ source: from, target: pulled, reference: `${peer.host}/team/copy:1`, name });
    expect((await pulled.resolve(name)).descriptor.digest).toBe(digest);
    expect((await verifyImages(pulled, [await pulled.resolve(name)])).problems).toEqual([]);
    await Promise.all([from.close(), pulled.close()]);
  });

  it('takes an index with its platforms and what refers to it, which it lists under the tag that is made of its digest', async () => {
    const { peer } = lent();
    const source = memoryStore();
    const image = await addIndex(source, name, [linux, { os: 'linux', architecture: 'arm64' }]);
    await addReferrer(source, image.descriptor);
    await push(source, `${peer.host}/team/multi:1`, name, { referrers: true });
    const store = registryStore(`${peer.host}/team/multi`, options);
    const found = [];
    for await (const referrer of store.referrers?.(image.descriptor) ?? []) found.push(referrer);
    await store.close();
    expect(found).toHaveLength(1);
  });

  it('mounts blobs from another of its repositories', async () => {
    const { peer } = lent();
    const source = await hello();
    await push(source, `${peer.host}/mount/from:1`);
    const from = registryStore(`${peer.host}/mount/from`, options);
    const to = registryStore(`${peer.host}/mount/to`, options);
    await copyImage({ source: from, target: to, reference: `${peer.host}/mount/from:1`, name: `${peer.host}/mount/to:1` });
    expect((await verifyImages(to, [await to.resolve('1')])).problems).toEqual([]);
    await Promise.all([from.close(), to.close()]);
  });

  it('removes an image by its digest', async () => {
    const { peer } = lent();
    const source = await hello();
    await push(source, `${peer.host}/team/gone:1`);
    const store = registryStore(`${peer.host}/team/gone`, options);
    await expect(removeImage(store, '1')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await removeImage(store, (await store.resolve('1')).descriptor.digest);
    await expect(store.resolve('1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await store.close();
  });
});

describeWith('podman', { ...distribution, tools: ['docker-registry', 'podman'], root: true }, (lent) => {
  it('pulls what we pushed, and we what it pushed', async () => {
    const { peer, directory } = lent();
    const source = await hello();
    await push(source, `${peer.host}/team/app:1`);
    const podman = (...args: readonly string[]) => run('podman', ['--root', join(directory, 'podman'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs', ...args]);
    const id = (await podman('pull', '-q', '--tls-verify=false', `${peer.host}/team/app:1`)).trim();
    await podman('push', '-q', '--tls-verify=false', id, `${peer.host}/team/podman:1`);
    const store = registryStore(`${peer.host}/team/podman`, options);
    expect((await verifyImages(store, [await store.resolve('1')])).problems).toEqual([]);
    await store.close();
  });
});
