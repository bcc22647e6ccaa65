import { dockerStore, mediaTypes, parseConfig, parseManifest, readBlob, tarReader, verifyImages, bytesSource, readArchive } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { importBy, inFolder, taken, ways } from '../hostile/attempt.ts';
import { listed, memoryStore } from '../support/images.ts';
import { crane, docker1, docker24, docker25, folder, forms, hardlink, hexOf, json, sampleImage, skopeo, symlink, tarOf, text, zstdLayers } from './docker-archives.ts';
import type { Entry, SampleImage } from './docker-archives.ts';

const one = await sampleImage();
const other = await sampleImage({ tags: ['hello:latest', 'localhost/other:2'], layers: [{ hello: 'lower\n' }, { hello: 'lower\n' }, { more: 'top\n' }] });

async function read(entries: readonly Entry[], notes: string[] = []): Promise<ImageStore> {
  const options = { onNote: (note: string) => void notes.push(note) };
  return readArchive(await tarReader(bytesSource(tarOf(entries)), { name: 'in.tar' }), options);
}

/** What an archive's images are made of, as far as it does not depend on the form that they are written in. */
async function facts(store: ImageStore): Promise<readonly object[]> {
  const found: object[] = [];
  for (const { name, descriptor } of await listed(store)) {
    const { config, layers } = parseManifest(await readBlob(store, descriptor));
    const { rootfs } = parseConfig(await readBlob(store, config));
    found.push({ name, layers: layers.length, diffIDs: rootfs.diff_ids });
  }
  return found;
}

function expected(image: SampleImage, name: string): object {
  return { name, layers: image.layers.length, diffIDs: image.layers.map(({ diffID }) => `sha256:${diffID}`) };
}

const bothImages = [expected(one, 'example.org/app:1'), expected(other, 'docker.io/library/hello:latest'), expected(other, 'localhost/other:2')];

describe.each(Object.entries(forms))('the archive that %s writes', (form, write) => {
  it('holds its images under their full names, whole', async () => {
    const store = await read(await write(one, other));
    expect((await facts(store)).map((fact) => ({ ...fact }))).toEqual(form === 'docker25' ? bothImages.map((fact) => ({ ...fact, name: 'name' in fact ? String(fact.name).replace('docker.io/library/', '') : '' })) : bothImages);
    expect(await verifyImages(store, await listed(store))).toMatchObject({ images: 3, problems: [] });
  });

  it.each(ways)('is imported by %s, the same each time', async (way) => {
    const archive = tarOf(await write(one, other));
    const first = await taken(way, archive);
    expect([...first.keys()].length).toBeGreaterThan(6);
    expect(await taken(way, archive)).toEqual(first);
    expect(await taken('file', archive)).toEqual(first);
  });

  it.each(ways)('is read behind a leading folder, by %s', async (way) => {
    const entries = await write(one, other);
    const inside = entries.map((entry) => ({ ...entry, name: `./some/image/${entry.name}`, header: { ...entry.header } }));
    const noise: Entry = { name: './._some', body: text('resource fork') };
    const prefixed = [folder('some'), ...inside, noise];
    expect(Math.max(...prefixed.map(({ name }) => name.length))).toBeLessThan(100);
    expect(await taken(way, tarOf(prefixed))).toEqual(await taken(way, tarOf(entries)));
  });

  it('keeps the bytes of configs', async () => {
    if (form === 'docker1') return;
    const store = await read(await write(one));
    const [image] = await listed(store);
    const { config } = parseManifest(await readBlob(store, image?.descriptor ?? { mediaType: '', digest: 'sha256:0', size: 0 }));
    expect(config).toEqual({ mediaType: mediaTypes.config, digest: `sha256:${one.id}`, size: one.config.length });
  });
});

describe('a docker archive', () => {
  it('gives one manifest, whichever tool wrote it', async () => {
    const digests = new Set<string>();
    for (const write of [docker24, skopeo]) digests.add((await (await read(await write(one))).resolve('example.org/app:1')).descriptor.digest);
    expect(digests.size).toBe(1);
  });

  it('with an OCI layout in it is that layout', async () => {
    const store = await read(await docker25(one));
    expect(store.format).toBeUndefined();
    const { descriptor } = await store.resolve('example.org/app:1');
    expect(parseManifest(await readBlob(store, descriptor)).annotations).toEqual({ 'org.example.from': 'docker 25' });
  });

  it('whose layout marker was taken away is read by its manifest.json, by file and by pipe', async () => {
    const entries = (await docker25(one)).filter(({ name }) => name !== 'oci-layout');
    const plain = await taken('file', tarOf(await skopeo(one)));
    expect(await taken('file', tarOf(entries))).toEqual(plain);
    expect(await taken('pipe', tarOf(entries))).toEqual(plain);
    expect(await taken('pipe', tarOf(entries.toReversed()))).toEqual(plain);
  });

  it('tells gzip and zstd layers by their bytes and keeps them, and says that it has to read them first', async () => {
    for (const [write, mediaType] of [[crane, mediaTypes.layerGzip], [zstdLayers, mediaTypes.layerZstd]] as const) {
      const notes: string[] = [];
      const store = await read(await write(one), notes);
      const [image] = await listed(store);
      const { layers } = parseManifest(await readBlob(store, image?.descriptor ?? { mediaType: '', digest: 'sha256:0', size: 0 }));
      expect(layers.map((layer) => layer.mediaType)).toEqual([mediaType, mediaType]);
      expect(notes).toEqual([expect.stringContaining('does not tell the digests')]);
    }
    const notes: string[] = [];
    await listed(await read(await skopeo(one, other), notes));
    expect(notes).toEqual([]);
  });

  it('may name one layer twice, and link to it, directly and over other links', async () => {
    const [lower] = other.layers;
    const config = { name: 'c.json', body: other.config };
    const item = (Layers: readonly string[]) => ({ name: 'manifest.json', body: json([{ Config: 'c.json', RepoTags: ['a:1'], Layers }]) });
    const files = [config, { name: 'x/layer.tar', body: lower?.plain ?? text('') }, { name: 'top.tar', body: other.layers[2]?.plain ?? text('') }];
    const reference = await taken('file', tarOf([...files, item(['x/layer.tar', 'x/layer.tar', 'top.tar'])]));
    const links = [symlink('y/layer.tar', '../x/./layer.tar'), hardlink('z/layer.tar', './y/layer.tar'), symlink('z/again', 'layer.tar')];
    for (const way of ways) {
      for (const layers of [['y/layer.tar', 'x/layer.tar', 'top.tar'], ['z/again', 'z/layer.tar', 'top.tar'], ['./x/layer.tar', 'z/again', './top.tar']]) {
        expect(await taken(way, tarOf([...links, ...files, item(layers)]))).toEqual(reference);
        expect(await taken(way, tarOf([item(layers), ...files, ...links]))).toEqual(reference);
      }
    }
  });

  it('takes entries that are there twice and the same', async () => {
    const entries = await docker24(one);
    for (const way of ways) expect(await taken(way, tarOf([...entries, ...entries]))).toEqual(await taken(way, tarOf(entries)));
  });

  it('may have an image without a name, or without layers', async () => {
    const nothing = await sampleImage({ tags: [], layers: [] });
    const entries = [{ name: 'c.json', body: nothing.config }, { name: 'manifest.json', body: json([{ Config: 'c.json', RepoTags: null, Layers: null }]) }];
    const store = await read(entries);
    expect(await facts(store)).toEqual([{ name: undefined, layers: 0, diffIDs: [] }]);
    const target = memoryStore();
    await inFolder(async (own) => importBy('pipe', tarOf(await skopeo(one)), target, own));
    expect(await facts(target)).toEqual([expected(one, 'example.org/app:1')]);
  });

  it('answers to names, tags, digests and positions', async () => {
    const store = await read(await skopeo(one, other));
    const { descriptor } = await store.resolve('hello');
    for (const reference of ['docker.io/library/hello:latest', 'localhost/other:2', '@1', descriptor.digest]) expect((await store.resolve(reference)).descriptor.digest).toBe(descriptor.digest);
    expect((await store.resolve('@0')).name).toBe('example.org/app:1');
    await expect(store.resolve('@2')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(store.resolve('hallo')).rejects.toMatchObject({ code: 'NOT_FOUND', details: { hint: expect.stringContaining('hello:latest') as string } });
  });

  it('leaves foreign layers where their urls point when they are not in it', async () => {
    const diffID = `sha256:${one.layers[0]?.diffID ?? ''}`;
    const source = { mediaType: mediaTypes.dockerForeignLayerGzip, digest: `sha256:${'ab'.repeat(32)}`, size: 5, urls: ['https://example.org/base.tar.gz'] };
    const entries = [
      { name: 'c.json', body: one.config },
      { name: 'top.tar', body: one.layers[1]?.plain ?? text('') },
      { name: 'manifest.json', body: json([{ Config: 'c.json', RepoTags: ['a:1'], Layers: ['base.tar', 'top.tar'], LayerSources: { [diffID]: source } }]) },
    ];
    const store = await read(entries);
    const { descriptor } = await store.resolve('a:1');
    expect(parseManifest(await readBlob(store, descriptor)).layers[0]).toEqual(source);
    await inFolder(async (own) => {
      const report = await importBy('file', tarOf(entries), memoryStore(), own);
      expect(report.gaps).toMatchObject([{ why: 'foreign', descriptor: source }]);
    });
  });

  it('says when a config was edited under the name of its old digest, and takes it, as docker does', async () => {
    const edited = (await docker24(one)).map((entry) => (entry.name === `${one.id}.json` ? { ...entry, body: json({ ...JSON.parse(new TextDecoder().decode(one.config)), author: 'me' }) } : entry));
    const notes: string[] = [];
    expect(await listed(await read(edited, notes))).toHaveLength(1);
    expect(notes).toEqual([expect.stringContaining('was changed')]);
  });

  it('can lie on any medium that can be read', async () => {
    const driver = await tarReader(bytesSource(tarOf(await skopeo(one))), { name: 'any' });
    let closed = 0;
    const store = dockerStore({ ...driver, name: 'medium', close: async () => void (closed += 1) });
    expect(store.name).toBe('medium');
    expect(await facts(store)).toEqual([expected(one, 'example.org/app:1')]);
    await store.close();
    expect(closed).toBe(1);
  });
});

describe("an archive of docker's first kind", () => {
  it('gets a config of its topmost layer, with the history of all', async () => {
    const store = await read(await docker1(one));
    const { descriptor } = await store.resolve('example.org/app:1');
    const config: unknown = JSON.parse(new TextDecoder().decode(await readBlob(store, parseManifest(await readBlob(store, descriptor)).config)));
    expect(config).toEqual({
      architecture: 'amd64',
      os: 'linux',
      created: '2015-04-01T10:20:31Z',
      docker_version: '1.6.0',
      config: { Cmd: ['/hello'], Env: ['PATH=/bin'] },
      container_config: { Cmd: ['/bin/sh', '-c', 'step 1'] },
      rootfs: { type: 'layers', diff_ids: one.layers.map(({ diffID }) => `sha256:${diffID}`) },
      history: [0, 1].map((step) => ({ created: `2015-04-01T10:20:3${step}Z`, created_by: `/bin/sh -c step ${step}` })),
    });
  });

  it('without repositories holds the layers on which nothing is built, nameless', async () => {
    const entries = await docker1(await sampleImage({ tags: [] }));
    expect(entries.map(({ name }) => name)).not.toContain('repositories');
    expect(await facts(await read(entries))).toEqual([{ ...expected(one, ''), name: undefined }]);
  });

  it('may share its lower layers between images', async () => {
    const upper = await sampleImage({ tags: ['b:2'], layers: [{ hello: 'lower\n' }, { world: 'upper\n' }, { third: '3' }] });
    const store = await read(await docker1(one, upper));
    expect(await facts(store)).toEqual([expected(one, 'example.org/app:1'), expected(upper, 'docker.io/library/b:2')]);
    expect(await hexOf(one.config)).toBe(one.id);
  });
});
