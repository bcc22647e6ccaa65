import { editImageConfig, mediaTypes, parseManifest, readBlob, readDocument, stringifyJson, tagImage } from '@oci-tar/core';
import type { ConfigChanges, Descriptor, EditReport, ImageStore } from '@oci-tar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addImages, memoryStore, pushBytes, pushJson } from '../support/images.ts';
import { amd64, arm64, armv7, begin, json, pushAttested, pushImage, sound } from './support.ts';

const name = 'docker.io/library/hello:1';

let store: ImageStore;
beforeEach(() => {
  store = memoryStore();
});

async function add(manifest: object, config: object, docker = false): Promise<Descriptor> {
  const session = await begin(store);
  const root = await pushImage(session, manifest, config, docker);
  await session.name(name, root);
  await session.end();
  return root.descriptor;
}

function edit(changes: ConfigChanges, more: { readonly name?: string; readonly platforms?: readonly (typeof amd64)[] } = {}): Promise<EditReport> {
  return editImageConfig({ store, reference: name, changes, ...more });
}

/** The config of an image that is a manifest. */
async function configOf(descriptor: Descriptor): Promise<Readonly<Record<string, unknown>>> {
  return json(store, parseManifest(await readBlob(store, descriptor)).config);
}

const history = [{ created: '2020-01-02T03:04:05Z', created_by: 'ADD file', comment: 'c' }];

describe('editImageConfig', () => {
  it('sets what it is told and leaves everything else as it was, known or not', async () => {
    const run = { User: 'old', Env: ['PATH=/bin', 'A=1', 'B=2'], Healthcheck: { Test: ['NONE'] }, Labels: { a: '1', b: '2' }, ExposedPorts: { '80/tcp': {} }, OnBuild: null };
    const before = await add({ annotations: { x: 'y', z: '0' }, 'org.example': 1 }, { created: '2020-01-02T03:04:05Z', docker_version: '20.10', config: run, history, 'x-unknown': [1, { y: null }] });
    const { image, from, manifests } = await edit({
      env: { B: '3', C: 'x=y' },
      envRemoved: ['A'],
      entrypoint: ['/sh', '-c'],
      cmd: ['hi'],
      labels: { b: '3', c: '4' },
      labelsRemoved: ['a'],
      annotations: { n: 'm' },
      annotationsRemoved: ['z'],
      user: '1000:1000',
      workdir: '/srv',
      expose: ['53/udp'],
      exposeRemoved: ['80/tcp'],
      author: 'Me',
    });
    expect(from).toMatchObject(before);
    expect(manifests).toMatchObject([{ platform: amd64, from: before, to: { digest: image.descriptor.digest } }]);
    expect(await configOf(image.descriptor)).toEqual({
      os: 'linux',
      architecture: 'amd64',
      created: '2020-01-02T03:04:05Z',
      docker_version: '20.10',
      author: 'Me',
      config: {
        User: '1000:1000',
        Env: ['PATH=/bin', 'B=3', 'C=x=y'],
        Healthcheck: { Test: ['NONE'] },
        Labels: { b: '3', c: '4' },
        ExposedPorts: { '53/udp': {} },
        OnBuild: null,
        Entrypoint: ['/sh', '-c'],
        Cmd: ['hi'],
        WorkingDir: '/srv',
      },
      rootfs: expect.anything() as unknown,
      history: [...history, { created: '2020-01-02T03:04:05Z', created_by: expect.stringMatching(/^oci-tar config ENV B=3; .*without ENV A.*USER 1000:1000/) as string, author: 'Me', empty_layer: true }],
      'x-unknown': [1, { y: null }],
    });
    const manifest = await json(store, image.descriptor);
    expect(manifest).toMatchObject({ annotations: { x: 'y', n: 'm' }, 'org.example': 1, mediaType: mediaTypes.manifest });
    expect(manifest['annotations']).not.toHaveProperty('z');
    expect(manifest['layers']).toEqual((await json(store, before))['layers']);
    expect(await sound(store)).toBe(1);
  });

  it('takes away what is set to nothing', async () => {
    await add({}, { config: { Entrypoint: ['a'], Cmd: ['b'], User: 'u', WorkingDir: '/w', Labels: { only: '1' }, Env: ['A=1'], Domainname: '' } });
    const { image } = await edit({ entrypoint: [], cmd: [], user: '', workdir: '', labelsRemoved: ['only'], envRemoved: ['A'] });
    expect((await configOf(image.descriptor))['config']).toEqual({ Env: [], Domainname: '' });
  });

  it.each([[undefined], [null], [{}]])('fills a config of %j', async (config) => {
    await add({}, config === undefined ? {} : { config });
    const { image } = await edit({ env: { A: '1' } });
    expect(await configOf(image.descriptor)).toMatchObject({ config: { Env: ['A=1'] } });
  });

  it('changes nothing when the image is like that already, and adds nothing to its history', async () => {
    const before = await add({ annotations: { a: 'b' } }, { config: { Env: ['A=1'], User: 'u', Labels: { l: '1' } }, history });
    const { image } = await edit({ env: { A: '1' }, user: 'u', labels: { l: '1' }, labelsRemoved: ['none'], annotations: { a: 'b' }, cmd: [] });
    expect(image.descriptor.digest).toBe(before.digest);
  });

  it('leaves the config alone where only annotations change', async () => {
    const before = await add({}, { history });
    const { image } = await edit({ annotations: { a: 'b' } });
    expect(image.descriptor.digest).not.toBe(before.digest);
    expect((await json(store, image.descriptor))['config']).toEqual((await json(store, before))['config']);
  });

  it('dates the config and the step when it is told when', async () => {
    await add({}, { created: '2020-01-02T03:04:05Z', history });
    const { image } = await edit({ created: '2026-01-01T00:00:00Z' });
    expect(await configOf(image.descriptor)).toMatchObject({ created: '2026-01-01T00:00:00Z', history: [{}, { created: '2026-01-01T00:00:00Z', empty_layer: true }] });
  });

  it('makes no history for an image that keeps none', async () => {
    await add({}, {});
    expect(await configOf((await edit({ user: 'u' })).image.descriptor)).not.toHaveProperty('history');
  });

  it("keeps docker's media types", async () => {
    await add({}, { config: {} }, true);
    const { image } = await edit({ user: 'u' });
    expect(image.descriptor.mediaType).toBe(mediaTypes.dockerManifest);
    expect(await json(store, image.descriptor)).toMatchObject({ mediaType: mediaTypes.dockerManifest, config: { mediaType: mediaTypes.dockerConfig } });
    expect(await sound(store)).toBe(1);
  });

  it('keeps the algorithm of the digests', async () => {
    const session = await begin(store);
    const root = await pushImage(session, {}, {});
    await session.end();
    const { digestBytes } = await import('@oci-tar/core');
    const bytes = await readBlob(store, root.descriptor);
    const again = await begin(store);
    const descriptor = { ...root.descriptor, digest: await digestBytes(bytes, 'sha512') };
    await again.push({ ...root, descriptor });
    await again.name(name, { ...root, descriptor });
    await again.end();
    expect((await edit({ user: 'u' })).image.descriptor.digest).toMatch(/^sha512:/);
    expect(await sound(store)).toBe(1);
  });

  it('drops what the old bytes were embedded in, and finds them there', async () => {
    const session = await begin(store);
    const config = stringifyJson({ ...amd64, config: {}, rootfs: { type: 'layers', diff_ids: [] } });
    const { descriptor } = await pushBytes(session, mediaTypes.config, 'config', config);
    const root = await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: { ...descriptor, data: Buffer.from(config).toString('base64') }, layers: [] });
    await session.name(name, root);
    await session.end();
    const { image } = await edit({ user: 'u' });
    expect((await json(store, image.descriptor))['config']).not.toHaveProperty('data');
    expect(await sound(store)).toBe(1);
  });

  it('gives the new image a name of its own where it is told one, and moves the old name otherwise', async () => {
    const before = await add({}, {});
    await tagImage(store, name, 'other:1');
    expect((await edit({ user: 'u' }, { name: 'new:1' })).image.name).toBe('docker.io/library/new:1');
    expect((await store.resolve(name)).descriptor.digest).toBe(before.digest);
    const { image } = await edit({ user: 'u' });
    expect((await store.resolve(name)).descriptor.digest).toBe(image.descriptor.digest);
    expect((await store.resolve('other:1')).descriptor.digest).toBe(before.digest);
    expect(await sound(store)).toBe(3);
  });

  it('says what is not there', async () => {
    await addImages(store, { name });
    await expect(editImageConfig({ store, reference: 'none:1', changes: {} })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(edit({ user: 'u' }, { platforms: [arm64] })).rejects.toMatchObject({ code: 'NOT_FOUND', hint: 'It has linux/amd64.' });
  });

  it.each([
    [{ config: { Env: 'A=1' } }, 'INVALID_MANIFEST'],
    [{ config: { Labels: [1] } }, 'INVALID_MANIFEST'],
    [{ history: {} }, 'INVALID_MANIFEST'],
  ])('refuses a config like %j and changes nothing', async (config, code) => {
    const before = await add({}, config);
    await expect(edit({ env: { A: '2' }, labels: { a: 'b' } })).rejects.toMatchObject({ code });
    expect((await store.resolve(name)).descriptor.digest).toBe(before.digest);
  });
});

describe('editImageConfig of an index', () => {
  async function addIndex(...platforms: readonly (typeof amd64)[]): Promise<Descriptor> {
    const session = await begin(store);
    const root = await pushAttested(session, ...platforms);
    await session.name(name, root);
    await session.end();
    return root.descriptor;
  }

  const childrenOf = async (descriptor: Descriptor) => {
    const document = await readDocument(store, descriptor);
    return document?.kind === 'index' ? document.index.manifests : [];
  };

  it('edits every image, and attestations go on describing theirs', async () => {
    const before = await childrenOf(await addIndex(amd64, armv7));
    const { image, manifests } = await edit({ user: 'u' });
    expect(manifests.map(({ platform }) => platform)).toEqual([amd64, armv7]);
    const after = await childrenOf(image.descriptor);
    expect(after.map(({ digest }, position) => digest === before[position]?.digest)).toEqual([false, true, false, true]);
    for (const [described, attestation] of [[0, 1], [2, 3]] as const) {
      expect(after[attestation]?.annotations).toEqual({ 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': after[described]?.digest });
      expect(after[described]?.platform).toEqual(before[described]?.platform);
    }
    expect((await json(store, image.descriptor))['org.example']).toEqual({ kept: [1, null] });
    expect(await sound(store)).toBe(1);
  });

  it('edits only the platforms that are chosen', async () => {
    const before = await childrenOf(await addIndex(amd64, arm64));
    const { image, manifests } = await edit({ user: 'u' }, { platforms: [arm64] });
    expect(manifests).toHaveLength(1);
    const after = await childrenOf(image.descriptor);
    expect(after.map(({ digest }, position) => digest === before[position]?.digest)).toEqual([true, true, false, true]);
    await expect(edit({ user: 'u' }, { platforms: [armv7] })).rejects.toMatchObject({ code: 'NOT_FOUND', hint: 'It has linux/amd64, linux/arm64.' });
    expect(await sound(store)).toBe(1);
  });

  it('leaves a child alone that is not here, and one that is no image', async () => {
    const session = await begin(store);
    const here = await pushImage(session, {}, {});
    const other = await pushBytes(session, 'application/vnd.example', 'other', new Uint8Array(3));
    const absent: Descriptor = { mediaType: mediaTypes.manifest, digest: `sha256:${'ab'.repeat(32)}`, size: 5, platform: arm64 };
    const inner = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, manifests: [here.descriptor] });
    const root = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, manifests: [absent, other.descriptor, inner.descriptor] });
    await session.name(name, root);
    await session.end();
    const { image } = await edit({ user: 'u' });
    const [first, second, third] = await childrenOf(image.descriptor);
    expect([first, second]).toMatchObject([absent, other.descriptor]);
    expect(third?.digest).not.toBe(inner.descriptor.digest);
    expect(await sound(store)).toBe(1);
  });

  it('gives the same digest for the same changes', async () => {
    await addIndex(amd64, arm64);
    const first = await edit({ user: 'u', env: { A: '1' } }, { name: 'a:1' });
    const second = await edit({ env: { A: '1' }, user: 'u' }, { name: 'b:1' });
    expect(second.image.descriptor).toEqual(first.image.descriptor);
  });
});
