import { appendLayers, codecByName, collect, listFiles, mediaTypes, openImage, parseConfig, parseManifest, readBlob, readDocument, readFile } from '@oci-tar/core';
import type { AppendRequest, AppendReport, Descriptor, ImageStore } from '@oci-tar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { listed, memoryStore, pushJson } from '../support/images.ts';
import { addLayered, compressedBy, directory, file, pushLayered, tarOf } from '../support/layers.ts';
import type { LayeredSpec } from '../support/layers.ts';
import { session } from '../support/multi.ts';
import { cut } from '../support/sinks.ts';
import { amd64, arm64, sound } from './support.ts';

const name = 'docker.io/library/base:1';
const base: LayeredSpec['layers'] = [[directory('etc'), file('etc/passwd'), file('etc/shadow'), directory('old'), file('old/a')]];
const history = [{ created: '2020-01-01T00:00:00Z', created_by: 'ADD base' }];

let store: ImageStore;
beforeEach(() => {
  store = memoryStore();
});

function append(more: Partial<AppendRequest>): Promise<AppendReport> {
  return appendLayers({ source: store, reference: name, target: store, name: 'docker.io/library/new:1', ...more });
}

const tar = async (...paths: readonly string[]) => tarOf(paths.map((path) => file(path)));

async function documents(of: ImageStore, descriptor: Descriptor) {
  const manifest = parseManifest(await readBlob(of, descriptor));
  return { manifest, config: parseConfig(await readBlob(of, manifest.config)) };
}

async function filesOf(of: ImageStore, reference: string): Promise<readonly string[]> {
  return (await listFiles({ source: of, reference, recursive: true })).nodes.map(({ path }) => path);
}

describe('appendLayers', () => {
  it('puts layers on top: those below keep their digests, the config all that it says', async () => {
    const before = await addLayered(store, { name, layers: base, config: { history, author: 'Me', config: { Env: ['A=1'] }, 'x-unknown': [1] } });
    const { image, layers, manifests, from } = await append({ layers: [cut(await tar('first')), cut(await tar('second', 'etc/passwd'))], createdBy: 'COPY it', comment: 'why', created: 1_700_000_000 });
    expect(image.name).toBe('docker.io/library/new:1');
    expect(from.digest).toBe(before.descriptor.digest);
    expect(manifests).toMatchObject([{ platform: amd64, from: { digest: before.descriptor.digest }, to: { digest: image.descriptor.digest } }]);
    const { manifest, config } = await documents(store, image.descriptor);
    expect(manifest.layers.map(({ digest }) => digest)).toEqual([before.layers[0]?.digest, ...layers.map(({ digest }) => digest)]);
    expect(config.rootfs.diff_ids).toHaveLength(3);
    const step = { created: '2023-11-14T22:13:20Z', created_by: 'COPY it', comment: 'why' };
    expect(config).toMatchObject({ author: 'Me', created: step.created, config: { Env: ['A=1'] }, 'x-unknown': [1], history: [...history, step, step] });
    expect(await filesOf(store, 'new:1')).toEqual(['etc', 'etc/passwd', 'etc/shadow', 'first', 'old', 'old/a', 'second']);
    expect(await sound(store)).toBe(2);
  });

  it('gives the same image every time, however a stream is cut', async () => {
    await addLayered(store, { name, layers: base, config: { history } });
    const bytes = await tar('one', 'two');
    const first = await append({ layers: [cut(bytes)] });
    for (const sizes of [[1], [511, 7], [1 << 20]]) expect((await append({ layers: [cut(bytes, sizes)] })).image.descriptor).toEqual(first.image.descriptor);
    const { config } = await documents(store, first.image.descriptor);
    expect(config).not.toHaveProperty('created');
    expect(config.history).toEqual([...history, { created: '1970-01-01T00:00:00Z', created_by: 'oci-tar append' }]);
  });

  it.each([
    ['gzip', false, mediaTypes.layerGzip],
    ['zstd', false, mediaTypes.layerZstd],
    ['none', false, mediaTypes.layer],
    ['gzip', true, mediaTypes.dockerLayerGzip],
    ['none', true, mediaTypes.dockerLayer],
  ] as const)('compresses as the layer below it, here %s (docker %s)', async (compress, docker, mediaType) => {
    await addLayered(store, { name, layers: base, compress, docker });
    const { manifest } = await documents(store, (await append({ layers: [cut(await tar('x'))] })).image.descriptor);
    expect(manifest.layers.map((layer) => layer.mediaType)).toEqual([mediaType, mediaType]);
    expect(manifest.mediaType).toBe(docker ? mediaTypes.dockerManifest : mediaTypes.manifest);
    expect(await sound(store)).toBe(2);
  });

  it('leaves what is compressed already as it is, and compresses as it is told', async () => {
    await addLayered(store, { name, layers: base, docker: true });
    const plain = await tar('x');
    const zstd = await compressedBy(codecByName('zstd'), plain);
    const { layers, image } = await append({ layers: [cut(zstd), cut(plain)], codec: codecByName('none') });
    expect(layers[0]?.size).toBe(zstd.length);
    expect(layers[0]?.diffID).toBe(layers[1]?.digest);
    expect((await documents(store, image.descriptor)).manifest.layers.slice(1).map(({ mediaType }) => mediaType)).toEqual([mediaTypes.dockerLayerZstd, mediaTypes.dockerLayer]);
    expect(await sound(store)).toBe(2);
  });

  it('takes files away in a layer below the new ones', async () => {
    await addLayered(store, { name, layers: base });
    await append({ whiteouts: ['/etc/shadow', 'etc//shadow'], opaque: ['old/'], layers: [cut(await tar('old/b', 'etc/shadow'))] });
    expect(await filesOf(store, 'new:1')).toEqual(['etc', 'etc/passwd', 'etc/shadow', 'old', 'old/b']);
    await append({ whiteouts: ['etc'], name: 'less:1' });
    expect(await filesOf(store, 'less:1')).toEqual(['old', 'old/a']);
    await append({ opaque: ['/'], name: 'nothing:1' });
    expect(await filesOf(store, 'nothing:1')).toEqual([]);
    expect(await sound(store)).toBe(4);
    for (const wrong of [{ whiteouts: ['/'] }, { whiteouts: ['a/.wh.b'] }, { opaque: ['.wh.x'] }, { layers: [] }, {}]) await expect(append(wrong)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(append({ whiteouts: ['a/../b'] })).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('puts the same layer on every platform, or on those that are chosen, and leaves the others as they are', async () => {
    const opened = await session(store);
    const manifests: Descriptor[] = [];
    for (const platform of [amd64, arm64]) manifests.push({ ...(await pushLayered(opened, { layers: [[file(platform.architecture)]], platform })).manifest.descriptor, platform });
    const index = await pushJson(opened, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests });
    await opened.name(name, index);
    await opened.end();
    const both = await append({ layers: [cut(await tar('added'))] });
    expect(both.manifests.map(({ platform }) => platform)).toEqual([amd64, arm64]);
    for (const platform of [amd64, arm64]) {
      const { nodes } = await listFiles({ source: store, reference: 'new:1', platform });
      expect(nodes.map(({ path }) => path)).toEqual(['added', platform.architecture].sort());
    }
    const one = await append({ layers: [cut(await tar('added'))], platforms: [arm64], name: 'one:1' });
    const document = await readDocument(store, one.image.descriptor);
    expect(document?.kind === 'index' ? document.index.manifests.map(({ digest }) => digest) : []).toEqual([manifests[0]?.digest, both.manifests[1]?.to.digest]);
    await expect(append({ layers: [cut(await tar('x'))], platforms: [{ os: 'linux', architecture: 's390x' }] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await sound(store)).toBe(3);
  });

  it('takes the image from another place', async () => {
    const source = memoryStore();
    await addLayered(source, { name, layers: base });
    const { image } = await append({ source, layers: [cut(await tar('x'))] });
    expect(await listed(store)).toMatchObject([{ name: 'docker.io/library/new:1' }]);
    expect(await listed(source)).toHaveLength(1);
    const file = await readFile({ source: store, path: 'etc/passwd' });
    expect(Buffer.from(await collect(file.read(), 100, 'a file')).toString()).toBe('etc/passwd');
    expect((await openImage(store, image.descriptor)).layers).toHaveLength(2);
    expect(await sound(store)).toBe(1);
  });

  it('makes no history for an image that keeps none', async () => {
    await addLayered(store, { name, layers: base });
    expect((await documents(store, (await append({ layers: [cut(await tar('x'))] })).image.descriptor)).config).not.toHaveProperty('history');
  });

  it('refuses what is no tar, or is cut, and names nothing then', async () => {
    await addLayered(store, { name, layers: base });
    const bytes = await tar('x'.repeat(90));
    const gzip = await compressedBy(codecByName('gzip'), Buffer.from('no tar at all'.repeat(100)));
    for (const wrong of [Buffer.from('no tar at all'.repeat(100)), gzip, bytes.subarray(0, 550), (await compressedBy(codecByName('gzip'), bytes)).subarray(0, 60)]) {
      await expect(append({ layers: [cut(wrong)] })).rejects.toMatchObject({ code: expect.stringMatching(/^INVALID_(TAR|COMPRESSION)$/) as string });
    }
    await expect(append({ reference: 'none:1', layers: [cut(bytes)] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(append({ layers: [cut(bytes)], signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    expect(await listed(store)).toHaveLength(1);
    const blobs: string[] = [];
    for await (const { digest } of store.blobs?.() ?? []) blobs.push(digest);
    expect(blobs).toHaveLength(3);
  });
});
