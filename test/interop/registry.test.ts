import { copyImage, localStore, registryStore, removeImage, verifyImages } from '@oci-tar/core';
import type { ImageStore, RegistryOptions } from '@oci-tar/core';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
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

/** A way to a server on which the first connection that brings more than 4 MiB is cut. */
async function withCuts(host: string, work: (host: string, cuts: () => number) => Promise<void>): Promise<void> {
  const [hostname = '', port = ''] = host.split(':');
  let cuts = 0;
  const sockets = new Set<Socket>();
  const front = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
    let come = 0;
    near.on('data', (chunk) => {
      come += chunk.byteLength;
      far.write(chunk);
      if (come < 4 * 1024 * 1024 || cuts > 0) return;
      cuts += 1;
      near.destroy();
    });
    far.on('data', (chunk) => near.write(chunk));
    near.on('close', () => far.end());
    far.on('close', () => near.end());
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  try {
    await work(`127.0.0.1:${(front.address() as AddressInfo).port}`, () => cuts);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => front.close(resolve));
  }
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

  it('gets what was cut off on its way after all', async () => {
    const { peer } = lent();
    const source = memoryStore();
    await addImages(source, { name, layers: [{ text: largeText(8) }] });
    await withCuts(peer.host, async (host, cuts) => {
      await push(source, `${host}/team/cut:1`);
      expect(cuts()).toBe(1);
    });
    const store = registryStore(`${peer.host}/team/cut:1`, options);
    expect((await verifyImages(store, [await store.resolve('1')])).problems).toEqual([]);
    await store.close();
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
