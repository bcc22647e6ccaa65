import type { ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addImages, memoryStore } from '../support/images.ts';
import type { ImageSpec } from '../support/images.ts';
import { addDocument, addMulti, faulty } from '../support/multi.ts';
import { clientOf, descriptorOf, onlyRead, partsOf, reading, sha256, writing } from './support.ts';

async function storeOf(...specs: readonly ImageSpec[]) {
  const store = memoryStore();
  const images = await addImages(store, ...specs);
  return { store, digests: images.map(({ descriptor }) => descriptor.digest) };
}

/** What a repository has under a tag. */
async function digestAt(client: Awaited<ReturnType<typeof clientOf>>, name: string, query = ''): Promise<string | undefined> {
  return (await client.get(`/v2/${name}/manifests/1${query}`)).headers['docker-content-digest'];
}

describe('the names of repositories', () => {
  it.each(['hello', 'library/hello', 'docker.io/library/hello'])('docker.io/library/hello is served as %s', async (name) => {
    expect((await (await reading(['docker.io/library/hello:1'])).get(`/v2/${name}/manifests/1`)).status).toBe(200);
  });

  it.each(['team/app', 'example.org/team/app'])('example.org/team/app is served as %s', async (name) => {
    expect((await (await reading(['example.org/team/app:1'])).get(`/v2/${name}/manifests/1`)).status).toBe(200);
  });

  it('of a registry with a port have no place for it', async () => {
    const client = await reading(['localhost:5000/team/app:1']);
    expect((await client.get('/v2/team/app/manifests/1')).status).toBe(200);
    expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['team/app'] });
  });

  it("mean docker's own where another registry has the same path", async () => {
    const { store, digests } = await storeOf({ name: 'docker.io/team/app:1', layers: [{ a: '1' }] }, { name: 'example.org/team/app:1', layers: [{ b: '1' }] });
    const client = await clientOf({ places: [{ store }] });
    expect(await digestAt(client, 'team/app')).toBe(digests[0]);
    expect(await digestAt(client, 'example.org/team/app')).toBe(digests[1]);
    expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['example.org/team/app', 'team/app'] });
  });

  it('that could mean two are refused, with both', async () => {
    const client = await reading(['example.org/team/app:1', 'example.net/team/app:1']);
    const answer = await client.get('/v2/team/app/manifests/1');
    expect([answer.status, answer.codes]).toEqual([404, ['NAME_UNKNOWN']]);
    expect(answer.text).toContain('example.org/team/app or example.net/team/app');
    expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['example.net/team/app', 'example.org/team/app'] });
  });

  it('with a namespace, as mirrors are asked, mean that registry alone', async () => {
    const { store, digests } = await storeOf({ name: 'docker.io/library/app:1', layers: [{ a: '1' }] }, { name: 'example.org:5000/library/app:1', layers: [{ b: '1' }] });
    const client = await clientOf({ places: [{ store }] });
    expect(await digestAt(client, 'library/app', '?ns=docker.io')).toBe(digests[0]);
    expect(await digestAt(client, 'library/app', '?ns=example.org%3A5000')).toBe(digests[1]);
    for (const ns of ['example.net', 'example.org']) expect((await client.get(`/v2/library/app/manifests/1?ns=${ns}`)).status, ns).toBe(404);
    for (const ns of ['..', '%00', 'a/b']) expect((await client.get(`/v2/library/app/manifests/1?ns=${ns}`)).status, ns).toBe(400);
  });
});

describe('images without a full name', () => {
  it('are served below the name of their place', async () => {
    const { store } = await storeOf({ name: 'v1' }, { name: 'v2', layers: [{ b: '2' }] }, { layers: [{ c: '3' }] });
    const client = await clientOf({ places: [{ store, baseName: 'layout' }] });
    expect((await client.get('/v2/layout/tags/list')).json()).toEqual({ name: 'layout', tags: ['v1', 'v2'] });
  });

  it('are served by digest when they have no name at all', async () => {
    const { store, digests } = await storeOf({ name: 'v1' }, { layers: [{ c: '3' }] });
    const client = await clientOf({ places: [{ store, baseName: 'layout' }] });
    expect((await client.get(`/v2/layout/manifests/${digests[1]}`)).status).toBe(200);
  });

  it('are the latest when they are the only one', async () => {
    const { store } = await storeOf({});
    const client = await clientOf({ places: [{ store, baseName: 'layout' }] });
    expect((await client.get('/v2/layout/manifests/latest')).status).toBe(200);
  });

  it('that no registry could have are told of once, and left out', async () => {
    const said: string[] = [];
    const { store } = await storeOf({ name: 'Not A:Name' }, { name: 'docker.io/library/hello:1' });
    const client = await clientOf({ places: [{ store }], onLog: (line) => said.push(line) });
    for (const _ of [1, 2]) expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['hello'] });
    expect(said).toEqual([expect.stringContaining('"Not A:Name"')]);
  });
});

describe('several places', () => {
  it('are one registry; of two images with one name the earlier counts', async () => {
    const one = await storeOf({ name: 'docker.io/library/hello:1', layers: [{ a: '1' }] });
    const two = await storeOf({ name: 'docker.io/library/hello:1', layers: [{ b: '1' }] }, { name: 'docker.io/library/other:1' });
    const client = await clientOf({ places: [{ store: one.store }, { store: two.store }] });
    expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['hello', 'other'] });
    expect(await digestAt(client, 'hello')).toBe(one.digests[0]);
    // By digest the other one is still there.
    expect((await client.get(`/v2/hello/manifests/${two.digests[0]}`)).status).toBe(200);
  });

  it('help each other with what one lacks: two platforms of one index in two archives', async () => {
    const store = memoryStore();
    const { of } = await addMulti(store, 'docker.io/library/hello:1', ['linux/amd64', 'linux/arm64']);
    const lacking = (platform: string) => {
      const { manifest, config, layers } = of[platform] ?? { layers: [] };
      return onlyRead(faulty(store, { absent: [manifest?.digest ?? '', config?.digest ?? '', layers[0]?.digest ?? ''] }));
    };
    const client = await clientOf({ places: [{ store: lacking('linux/arm64') }, { store: lacking('linux/amd64') }] });
    for (const { manifest, layers } of Object.values(of)) {
      expect((await client.get(`/v2/hello/manifests/${manifest.digest}`)).status).toBe(200);
      expect((await client.get(`/v2/hello/blobs/${layers[0]?.digest}`)).status).toBe(200);
    }
  });

  it('with one image picked out serve that one alone', async () => {
    const { store } = await storeOf({ name: 'docker.io/library/hello:1' }, { name: 'docker.io/library/secret:1', layers: [{ secret: '1' }] });
    const secret = (await partsOf(await clientOf({ places: [{ store }] }), 'secret')).layers[0]?.digest;
    const client = await clientOf({ places: [{ store, reference: 'hello:1' }] });
    expect((await client.get('/v2/_catalog')).json()).toEqual({ repositories: ['hello'] });
    for (const path of ['/v2/secret/manifests/1', `/v2/hello/blobs/${secret}`]) expect((await client.get(path)).status, path).toBe(404);
  });

  it('that change are served as they are now', async () => {
    const store = memoryStore();
    const client = await clientOf({ places: [{ store }] });
    expect((await client.get('/v2/hello/manifests/1')).status).toBe(404);
    await addImages(store, { name: 'docker.io/library/hello:1' });
    expect((await client.get('/v2/hello/manifests/1')).status).toBe(200);
    await store.remove?.('docker.io/library/hello:1');
    expect((await client.get('/v2/hello/manifests/1')).status).toBe(404);
  });
});

describe('a place that is pushed to', () => {
  it('goes before the others', async () => {
    const { store } = await storeOf({ name: 'docker.io/library/hello:1' });
    const client = await clientOf({ places: [{ store }], writable: memoryStore() });
    const { digest } = await client.pushImage('hello', '1');
    expect(await digestAt(client, 'hello')).toBe(digest);
  });

  it('takes what is pushed to a path under the full name that the path means', async () => {
    const { store } = await storeOf({ name: 'example.org/team/app:1' });
    const client = await clientOf({ places: [], writable: store });
    const { digest } = await client.pushImage('team/app', '2');
    expect((await store.resolve('example.org/team/app:2')).descriptor.digest).toBe(digest);
  });

  it('keeps nothing of what cannot be found again after a restart', async () => {
    const client = await writing();
    await client.pushImage('app', '1', { layers: ['layer'] });
    const untagged = await client.pushImage('app', undefined, { layers: ['other'] });
    const again = await clientOf({ places: [], writable: client.store });
    expect((await again.get(`/v2/app/manifests/${untagged.digest}`)).status).toBe(200);
    expect((await again.get(`/v2/app/blobs/${sha256('layer')}`)).status).toBe(200);
  });
});

describe('a repository that grows', () => {
  it('has what was missing as soon as it has come', async () => {
    const client = await writing();
    const parts = [await client.pushImage('other', undefined, { layers: ['one'] }), await client.pushImage('other', undefined, { layers: ['two'] })];
    // Another program writes an index whose children come later.
    const index = JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: parts.map(({ bytes }) => descriptorOf(bytes)) });
    const sparse = memoryStore();
    await addDocument(sparse, 'docker.io/library/app:1', 'application/vnd.oci.image.index.v1+json', JSON.parse(index) as object);
    const growing = await clientOf({ places: [], writable: sparse });
    expect((await growing.get(`/v2/app/manifests/${parts[0]?.digest}`)).status).toBe(404);
    for (const layer of ['one', 'two']) await growing.pushImage('app', undefined, { layers: [layer] });
    for (const [at, layer] of ['one', 'two'].entries()) {
      expect((await growing.get(`/v2/app/manifests/${parts[at]?.digest}`)).text).toBe(parts[at]?.bytes);
      expect((await growing.get(`/v2/app/blobs/${sha256(layer)}`)).text).toBe(layer);
    }
  });

  it('is not read from the beginning with each push', async () => {
    const store = memoryStore();
    await addImages(store, ...Array.from({ length: 40 }, (_, at) => ({ name: `docker.io/library/app:${at}`, layers: [{ [`file-${at}`]: '1' }] })));
    const opened: string[] = [];
    const counting: ImageStore = {
      ...onlyRead(store),
      index: () => store.index?.() ?? expect.unreachable(),
      begin: () => store.begin?.() ?? expect.unreachable(),
      open: (blob) => {
        opened.push(blob.digest);
        return store.open(blob);
      },
    };
    const client = await clientOf({ places: [], writable: counting });
    const absent = `/v2/app/blobs/sha256:${'0'.repeat(64)}`;
    await client.get(absent);
    expect(new Set(opened).size).toBe(40);
    opened.length = 0;
    await client.pushImage('app', 'new');
    expect((await client.get(absent)).status).toBe(404);
    expect(opened.length).toBeLessThan(5);
  });
});
