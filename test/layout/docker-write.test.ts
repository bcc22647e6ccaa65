import { archiveTarget, bytesSource, codecByName, copyImage, importImages, makePlan, mediaTypes, parseManifest, readArchive, readBlob, tarReader, transfer, verifyImages } from '@oci-tar/core';
import type { ImageStore, NamedImage, PlanOptions } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { indexTar } from '../../packages/core/src/tar/seek.ts';
import { addImages, addIndex, linux, listed, memoryStore, pushBytes, pushJson } from '../support/images.ts';
import { MemorySink } from '../support/sinks.ts';
import { compressed, sampleImage } from './docker-archives.ts';

const arm = { os: 'linux', architecture: 'arm64' };

/** Images of a store as a docker archive, and how the sink ended. */
async function written(source: ImageStore, images: readonly NamedImage[], options: PlanOptions = {}): Promise<MemorySink> {
  const sink = new MemorySink();
  await transfer(await makePlan(source, images, options), archiveTarget(sink, { format: 'docker' }));
  return sink;
}

async function readBack(sink: MemorySink): Promise<ImageStore> {
  return readArchive(await tarReader(sink.source(), { name: 'out.tar' }));
}

async function manifestJson(sink: MemorySink): Promise<unknown> {
  const [first] = await indexTar(sink.source());
  expect(first?.path).toBe('manifest.json');
  return JSON.parse(Buffer.from(sink.bytes.subarray(first?.dataOffset, (first?.dataOffset ?? 0) + (first?.size ?? 0))).toString());
}

/** An image whose layers have these compressions. */
async function layered(store: ImageStore, name: string, codecs: readonly ('none' | 'gzip' | 'zstd')[], lie = false): Promise<NamedImage> {
  const sample = await sampleImage({ layers: codecs.map((codec, position) => ({ [`${position}-${codec}`]: 'text\n'.repeat(1000) })) });
  const session = await store.begin?.();
  if (session === undefined) throw new Error('the store is read-only');
  const layers: object[] = [];
  for (const [position, codec] of codecs.entries()) {
    const plain = sample.layers[lie ? 0 : position]?.plain ?? new Uint8Array();
    layers.push((await pushBytes(session, mediaTypes.layer + codecByName(codec).suffix, 'layer', codec === 'none' ? plain : await compressed(codec, plain))).descriptor);
  }
  const config = await pushBytes(session, mediaTypes.config, 'config', sample.config);
  const root = await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers });
  await session.name(name, root);
  await session.end();
  return { name, descriptor: root.descriptor };
}

describe('a docker archive that is written', () => {
  it('has manifest.json first, configs by image ID, and layers, plain as <diffID>.tar and gzip as <digest>.tar.gz; zstd is undone', async () => {
    const store = memoryStore();
    const image = await layered(store, 'docker.io/library/mixed:1', ['none', 'gzip', 'zstd']);
    const sink = await written(store, [image]);
    const { config, layers } = parseManifest(await readBlob(store, image.descriptor));
    const hex = (digest: string | undefined) => digest?.slice(7) ?? '';
    const { rootfs } = JSON.parse(new TextDecoder().decode(await readBlob(store, config))) as { rootfs: { diff_ids: string[] } };
    const paths = [`${hex(layers[0]?.digest)}.tar`, `${hex(layers[1]?.digest)}.tar.gz`, `${hex(rootfs.diff_ids[2])}.tar`];
    expect((await indexTar(sink.source())).map(({ path, type, mode }) => [path, type, mode])).toEqual(['manifest.json', `${hex(config.digest)}.json`, ...paths].map((path) => [path, 'file', 0o444]));
    expect(await manifestJson(sink)).toEqual([{ Config: `${hex(config.digest)}.json`, RepoTags: ['docker.io/library/mixed:1'], Layers: paths }]);
    const back = await readBack(sink);
    expect((await verifyImages(back, await listed(back))).problems).toEqual([]);
    expect((await listed(back)).map(({ name }) => name)).toEqual(['docker.io/library/mixed:1']);
  });

  it('is the same bytes each time, and read back the same image', async () => {
    const store = memoryStore();
    const [image] = await addImages(store, { name: 'example.org/plain:1', layers: [{ a: 'a' }, { b: 'b' }] });
    if (image === undefined) throw new Error('an image was made');
    const sinks = [await written(store, [image]), await written(store, [image])];
    expect(sinks[0]?.bytes).toEqual(sinks[1]?.bytes);
    expect(sinks[0]?.ended).toBe('committed');
    const first = sinks[0] ?? new MemorySink();
    expect((await (await readBack(first)).resolve('example.org/plain:1')).descriptor.digest).toBe(image.descriptor.digest);
    const again = memoryStore();
    await importImages(await readBack(first), { target: again });
    expect((await written(again, await listed(again))).bytes).toEqual(first.bytes);
  });

  it('holds several images and names; what they share is there once', async () => {
    const store = memoryStore();
    const images = await addImages(store, { name: 'example.org/a:1', layers: [{ a: 'a' }, { b: 'b' }] }, { name: 'example.org/b:2', layers: [{ a: 'a' }] });
    const sink = await written(store, [...images, { name: 'example.org/again:3', descriptor: images[0]?.descriptor ?? { mediaType: '', digest: 'sha256:0', size: 0 } }]);
    expect(await manifestJson(sink)).toMatchObject([{ RepoTags: ['example.org/a:1', 'example.org/again:3'] }, { RepoTags: ['example.org/b:2'] }]);
    expect(await indexTar(sink.source())).toHaveLength(1 + 2 + 2);
  });

  it('gives no name to what has none that docker knows', async () => {
    const store = memoryStore();
    const [image] = await addImages(store, { name: 'example.org/a:1' });
    if (image === undefined) throw new Error('an image was made');
    for (const name of [undefined, 'not a reference', `example.org/a@${image.descriptor.digest}`]) {
      const sink = await written(store, [{ ...(name !== undefined && { name }), descriptor: image.descriptor }]);
      expect(await manifestJson(sink)).toMatchObject([{ RepoTags: null }]);
    }
  });

  it('takes one platform of an index, and asks which where there are several', async () => {
    const store = memoryStore();
    const image = await addIndex(store, 'example.org/multi:1', [linux, arm]);
    const sink = new MemorySink();
    const several = transfer(await makePlan(store, [image]), archiveTarget(sink, { format: 'docker' }));
    await expect(several).rejects.toMatchObject({ code: 'CONFLICT', details: { hint: expect.stringMatching(/--platform linux\/amd64 .*linux\/arm64/) as string } });
    expect({ ended: sink.ended, bytes: sink.bytes.length }).toEqual({ ended: 'no', bytes: 0 });
    const back = await readBack(await written(store, [image], { platforms: [arm] }));
    const [only] = await listed(back);
    const { config } = parseManifest(await readBlob(back, only?.descriptor ?? image.descriptor));
    expect(JSON.parse(new TextDecoder().decode(await readBlob(back, config)))).toMatchObject({ architecture: 'arm64' });
  });

  it('refuses what is no image', async () => {
    const store = memoryStore();
    const session = await store.begin?.();
    if (session === undefined) throw new Error('the store is read-only');
    const config = await pushBytes(session, 'application/vnd.example+json', 'config', new TextEncoder().encode('{}'));
    const root = await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: [] });
    await session.name('example.org/artifact:1', root);
    await session.end();
    await expect(written(store, [{ name: 'example.org/artifact:1', descriptor: root.descriptor }])).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('refuses layers that are not what the config says, before it opens its output or without ending it', async () => {
    for (const codec of ['none', 'zstd'] as const) {
      const store = memoryStore();
      const image = await layered(store, 'example.org/lie:1', ['none', codec], true);
      const sink = new MemorySink();
      await expect(transfer(await makePlan(store, [image]), archiveTarget(sink, { format: 'docker' }))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { side: 'source' } });
      expect(sink.ended).not.toBe('committed');
    }
  });

  it('is spoiled by a layer that turns out damaged: its record stays incomplete and the archive without end', async () => {
    const store = memoryStore();
    const image = await layered(store, 'example.org/damaged:1', ['gzip']);
    const [layer] = parseManifest(await readBlob(store, image.descriptor)).layers;
    if (layer === undefined) throw new Error('the image has a layer');
    const damaged: ImageStore = {
      ...store,
      name: 'damaged',
      images: () => store.images(),
      resolve: (reference) => store.resolve(reference),
      open: async (blob) => (blob.digest === layer.digest ? bytesSource(new Uint8Array(layer.size)) : store.open(blob)),
      close: () => store.close(),
    };
    const sink = new MemorySink();
    await expect(transfer(await makePlan(damaged, [image]), archiveTarget(sink, { format: 'docker' }))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { side: 'source' } });
    expect(sink.ended).toBe('aborted');
    await expect(indexTar(sink.source())).rejects.toMatchObject({ code: 'INVALID_TAR' });
  });
});

describe('an OCI archive', () => {
  it('has no manifest.json when that is not wanted', async () => {
    const store = memoryStore();
    await addImages(store, { name: 'example.org/a:1' });
    for (const skipManifestJson of [false, true]) {
      const sink = new MemorySink();
      await copyImage({ source: store, target: archiveTarget(sink, { skipManifestJson }) });
      const paths = (await indexTar(sink.source())).map(({ path }) => path);
      expect(paths.includes('manifest.json')).toBe(!skipManifestJson);
      expect(paths).toContain('index.json');
    }
  });
});
