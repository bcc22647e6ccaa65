import { describe, expect, it } from 'vitest';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { clientOf, descriptorOf, indexType, sha256, writing } from './support.ts';

const deleting = () => writing({ allowDelete: true });

describe('deleting a tag', () => {
  it('takes the name away; the manifest stays, known by its digest', async () => {
    const client = await deleting();
    const { digest, bytes } = await client.pushImage('app', '1');
    expect((await client.ask('DELETE', '/v2/app/manifests/1')).status).toBe(202);
    expect((await client.get('/v2/app/manifests/1')).status).toBe(404);
    expect((await client.get(`/v2/app/manifests/${digest}`)).text).toBe(bytes);
    expect((await client.get('/v2/app/tags/list')).json()).toEqual({ name: 'app', tags: [] });
  });

  it('leaves other tags of the same image alone', async () => {
    const client = await deleting();
    await client.pushImage('app', '1');
    await client.pushImage('app', '2');
    await client.ask('DELETE', '/v2/app/manifests/1');
    expect((await listed(client.store)).map(({ name }) => name)).toEqual(['docker.io/library/app:2']);
  });

  it('finds a tag by whatever name the store has for it', async () => {
    const store = memoryStore();
    await addImages(store, { name: 'v1' });
    const client = await clientOf({ places: [], writable: store, allowDelete: true });
    expect((await client.ask('DELETE', '/v2/image/manifests/v1')).status).toBe(202);
    expect((await client.get('/v2/image/manifests/v1')).status).toBe(404);
  });

  it('gives 404 for one that is not there', async () => {
    const client = await deleting();
    await client.pushImage('app', '1');
    for (const path of ['/v2/app/manifests/2', '/v2/other/manifests/1']) expect((await client.ask('DELETE', path)).status, path).toBe(404);
  });
});

describe('deleting a manifest', () => {
  it('takes it away with all its tags', async () => {
    const client = await deleting();
    const { digest } = await client.pushImage('app', '1');
    await client.pushImage('app', '2');
    await client.pushImage('app', '3', { layers: ['another'] });
    expect((await client.ask('DELETE', `/v2/app/manifests/${digest}`)).status).toBe(202);
    expect((await client.get(`/v2/app/manifests/${digest}`)).status).toBe(404);
    expect((await client.get('/v2/app/tags/list')).json()).toMatchObject({ tags: ['3'] });
    expect((await client.ask('DELETE', `/v2/app/manifests/${digest}`)).status).toBe(404);
  });

  it('works for one that was only known by its digest', async () => {
    const client = await deleting();
    const { digest } = await client.pushImage('app', undefined);
    expect((await client.ask('DELETE', `/v2/app/manifests/${digest}`)).status).toBe(202);
    expect(await listed(client.store)).toEqual([]);
  });

  it('takes a referrer off the list of its subject', async () => {
    const client = await deleting();
    const { digest, bytes } = await client.pushImage('app', '1');
    const referrer = await client.pushImage('app', undefined, { fields: { subject: descriptorOf(bytes) } });
    expect((await client.get(`/v2/app/referrers/${digest}`)).json()).toMatchObject({ manifests: [{ digest: referrer.digest }] });
    expect((await client.ask('DELETE', `/v2/app/manifests/${referrer.digest}`)).status).toBe(202);
    expect((await client.get(`/v2/app/referrers/${digest}`)).json()).toMatchObject({ manifests: [] });
  });

  it('is refused while an index needs it', async () => {
    const client = await deleting();
    const child = await client.pushImage('app', undefined);
    const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [descriptorOf(child.bytes)] });
    await client.putManifest('app', '1', index, indexType);
    const answer = await client.ask('DELETE', `/v2/app/manifests/${child.digest}`);
    expect([answer.status, answer.codes]).toEqual([405, ['UNSUPPORTED']]);
    expect((await client.get(`/v2/app/manifests/${child.digest}`)).status).toBe(200);
  });
});

describe('deleting a blob', () => {
  it('takes one away that was pushed and that nothing needs yet', async () => {
    const client = await deleting();
    const digest = await client.pushBlob('app', 'blob');
    expect((await client.ask('DELETE', `/v2/app/blobs/${digest}`)).status).toBe(202);
    expect((await client.get(`/v2/app/blobs/${digest}`)).status).toBe(404);
    expect((await client.ask('DELETE', `/v2/app/blobs/${digest}`)).status).toBe(404);
  });

  it('is refused while a manifest needs it', async () => {
    const client = await deleting();
    await client.pushImage('app', '1', { layers: ['needed'] });
    expect((await client.ask('DELETE', `/v2/app/blobs/${sha256('needed')}`)).status).toBe(405);
    expect((await client.get(`/v2/app/blobs/${sha256('needed')}`)).text).toBe('needed');
  });
});

describe('deleting', () => {
  it('is refused where it was not allowed', async () => {
    const client = await writing();
    const { digest } = await client.pushImage('app', '1');
    for (const path of ['manifests/1', `manifests/${digest}`, `blobs/${sha256('a layer')}`]) {
      const answer = await client.ask('DELETE', `/v2/app/${path}`);
      expect([answer.status, answer.codes], path).toEqual([405, ['UNSUPPORTED']]);
    }
    expect((await client.get('/v2/app/manifests/1')).status).toBe(200);
  });

  it('is refused for what is in a place that is only read', async () => {
    const store = memoryStore();
    const [image] = await addImages(store, { name: 'docker.io/library/app:1' });
    const client = await clientOf({ places: [{ store }], writable: memoryStore(), allowDelete: true });
    for (const reference of ['1', image?.descriptor.digest]) expect((await client.ask('DELETE', `/v2/app/manifests/${reference}`)).status).toBe(405);
    expect(await listed(store)).toHaveLength(1);
  });
});
