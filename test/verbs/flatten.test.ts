import { archiveTarget, codecByName, collect, flattenImage, listFiles, mediaTypes, mergedTar, openArchive, openImage, parseConfig, parseManifest, readBlob, readFile } from '@oci-tar/core';
import type { Descriptor, FlattenReport, FlattenRequest, ImageStore } from '@oci-tar/core';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { listed, memoryStore, pushBytes, pushJson } from '../support/images.ts';
import { addLayered, directory, file, hardlink, opaque, pushLayered, whiteout } from '../support/layers.ts';
import type { LayeredSpec } from '../support/layers.ts';
import { session } from '../support/multi.ts';
import { amd64, arm64, sound } from './support.ts';

const name = 'docker.io/library/app:1';
const target = 'docker.io/library/app:flat';

const layers: LayeredSpec['layers'] = [
  [directory('etc', { mode: 0o711 }), file('etc/passwd'), file('etc/shadow'), directory('old'), file('old/a')],
  [file('etc/passwd', 'changed'), whiteout('etc/shadow'), opaque('old'), file('old/b'), hardlink('same', 'etc/passwd')],
  [file('top'), whiteout('same')],
];
const history = [
  { created: '2020-01-01T00:00:00Z', created_by: 'ADD base' },
  { created: '2020-01-02T00:00:00Z', created_by: 'ENV A=1', empty_layer: true },
  { created: '2020-01-03T00:00:00Z', created_by: 'RUN change' },
  { created: '2020-01-04T00:00:00Z', created_by: 'COPY top' },
];
const config = { created: '2020-01-04T00:00:00Z', author: 'Me', config: { Env: ['A=1'] }, 'x-unknown': [1], history };

let store: ImageStore;
beforeEach(() => {
  store = memoryStore();
});

function flatten(more: Partial<FlattenRequest> = {}): Promise<FlattenReport> {
  return flattenImage({ source: store, reference: name, target: store, name: target, ...more });
}

async function documents(descriptor: Descriptor, of = store) {
  const manifest = parseManifest(await readBlob(of, descriptor));
  return { manifest, config: parseConfig(await readBlob(of, manifest.config)) };
}

async function contentOf(path: string): Promise<string> {
  const found = await readFile({ source: store, reference: target, path });
  return Buffer.from(await collect(found.read(), 1000, path)).toString();
}

async function filesOf(reference: string, of = store): Promise<readonly string[]> {
  return (await listFiles({ source: of, reference, recursive: true })).nodes.map(({ path, type, mode, linkname }) => `${path} ${type} ${mode} ${linkname}`);
}

describe('flattenImage', () => {
  it('makes one layer of all, and keeps everything else', async () => {
    const before = await addLayered(store, { name, layers, config });
    const report = await flatten();
    expect(report.manifests).toMatchObject([{ platform: amd64, from: { digest: before.descriptor.digest }, to: { digest: report.image.descriptor.digest }, merged: 3 }]);
    const after = await documents(report.image.descriptor);
    expect(after.manifest.layers).toMatchObject([{ mediaType: mediaTypes.layerGzip }]);
    expect(after.config).toMatchObject({ author: 'Me', created: config.created, config: { Env: ['A=1'] }, 'x-unknown': [1] });
    expect(after.config.history).toEqual([history[1], { created: config.created, created_by: 'oci-tar flatten', comment: '3 layers merged into one' }]);
    expect(await filesOf(target)).toEqual(await filesOf(name));
    expect(await contentOf('etc/passwd')).toBe('changed');
    expect(await sound(store)).toBe(2);
  });

  it('gives the same image every time, dated as it is told', async () => {
    await addLayered(store, { name, layers, config });
    const first = await flatten();
    expect((await flatten()).image.descriptor).toEqual(first.image.descriptor);
    const dated = await documents((await flatten({ created: 1_700_000_000, createdBy: 'squash' })).image.descriptor);
    expect(dated.config).toMatchObject({ created: '2023-11-14T22:13:20Z', history: [history[1], { created: '2023-11-14T22:13:20Z', created_by: 'squash' }] });
  });

  it.each([1, 2])('keeps the lowest %i layers, their digests and their history', async (keepBase) => {
    const before = await addLayered(store, { name, layers: [...layers, [whiteout('old'), file('etc/shadow', 'back')]], config: { ...config, history: [...history, { created_by: 'last' }] } });
    const { image, manifests } = await flatten({ keepBase });
    expect(manifests).toMatchObject([{ merged: 4 - keepBase }]);
    const { manifest, config: after } = await documents(image.descriptor);
    expect(manifest.layers.slice(0, keepBase)).toEqual(before.layers.slice(0, keepBase));
    expect(manifest.layers).toHaveLength(keepBase + 1);
    expect(after.history?.filter(({ empty_layer: empty }) => empty !== true)).toHaveLength(keepBase + 1);
    expect(await filesOf(target)).toEqual(await filesOf(name));
    expect(await sound(store)).toBe(2);
  });

  it('keeps hardlinks of the merged layers to files of the base', async () => {
    await addLayered(store, { name, layers: [[file('f', 'old')], [hardlink('l', 'f')], [file('f', 'new')]] });
    await flatten({ keepBase: 1 });
    const tar = await collect(mergedTar({ source: store, reference: target }), 1 << 20, 'tar');
    expect(tar).toEqual(await collect(mergedTar({ source: store, reference: name }), 1 << 20, 'tar'));
  });

  it.each(['gzip', 'zstd', 'none'])('compresses with %s', async (codec) => {
    await addLayered(store, { name, layers, config });
    const { image } = await flatten({ codec: codecByName(codec) });
    const { manifest } = await documents(image.descriptor);
    expect(manifest.layers[0]?.mediaType).toBe(mediaTypes.layer + codecByName(codec).suffix);
    expect(await sound(store)).toBe(2);
  });

  it('stays with docker’s types', async () => {
    await addLayered(store, { name, layers, config, docker: true });
    const { image } = await flatten();
    const { manifest } = await documents(image.descriptor);
    expect([image.descriptor.mediaType, manifest.config.mediaType, manifest.layers[0]?.mediaType]).toEqual([mediaTypes.dockerManifest, mediaTypes.dockerConfig, `${mediaTypes.dockerLayer}.gzip`]);
  });

  it('flattens every platform of an index, or those that are chosen, and moves the attestations along', async () => {
    const opened = await session(store);
    const images = [await pushLayered(opened, { layers, config, platform: amd64 }), await pushLayered(opened, { layers: layers.slice(0, 2), platform: arm64 })];
    const [first, second] = images.map(({ manifest }) => manifest.descriptor);
    const statement = await pushBytes(opened, 'application/vnd.in-toto+json', 'layer', Buffer.from('{}'));
    const odd = await pushJson(opened, mediaTypes.config, 'config', { os: 'unknown', architecture: 'unknown', rootfs: { type: 'layers', diff_ids: [statement.descriptor.digest] } });
    const attestation = await pushJson(opened, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: odd.descriptor, layers: [statement.descriptor] });
    const annotations = { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': first?.digest };
    const manifests = [{ ...first, platform: amd64 }, { ...second, platform: arm64 }, { ...attestation.descriptor, platform: { os: 'unknown', architecture: 'unknown' }, annotations }];
    await opened.name(name, await pushJson(opened, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests, annotations: { kept: 'yes' } }));
    await opened.end();

    const report = await flatten();
    expect(report.manifests.map(({ merged }) => merged)).toEqual([3, 2]);
    const index = JSON.parse(Buffer.from(await readBlob(store, report.image.descriptor)).toString()) as { manifests: Descriptor[]; annotations: object };
    expect(index.annotations).toEqual({ kept: 'yes' });
    expect(index.manifests[2]).toMatchObject({ digest: attestation.descriptor.digest, annotations: { 'vnd.docker.reference.digest': index.manifests[0]?.digest } });
    for (const platform of [amd64, arm64]) expect((await openImage(store, report.image.descriptor, { platform })).layers).toHaveLength(1);

    const one = await flatten({ platforms: [arm64] });
    expect(one.manifests).toHaveLength(1);
    expect((await openImage(store, one.image.descriptor, { platform: amd64 })).descriptor.digest).toBe(first?.digest);
    expect((await openImage(store, one.image.descriptor, { platform: arm64 })).layers).toHaveLength(1);
  });

  it('takes copies of what refers to the image along when it is asked to', async () => {
    const before = await addLayered(store, { name, layers, config });
    const opened = await session(store);
    const empty = await pushBytes(opened, 'application/vnd.oci.empty.v1+json', 'config', Buffer.from('{}'));
    const sbom = await pushBytes(opened, 'application/spdx+json', 'layer', Buffer.from('"sbom"'));
    const { mediaType, digest, size } = before.descriptor;
    const referrer = await pushJson(opened, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'application/spdx+json', config: empty.descriptor, layers: [sbom.descriptor], subject: { mediaType, digest, size } });
    await opened.name(undefined, referrer);
    await opened.end();
    expect((await flatten()).referrers).toEqual([]);
    const report = await flatten({ referrers: true });
    expect(report.referrers).toHaveLength(1);
    const moved = report.referrers[0]?.descriptor;
    const copy = parseManifest(await readBlob(store, moved ?? referrer.descriptor));
    expect(copy.subject?.digest).toBe(report.image.descriptor.digest);
    expect(copy.layers[0]?.digest).toBe(sbom.descriptor.digest);
    const found: Descriptor[] = [];
    for await (const one of store.referrers?.(report.image.descriptor) ?? []) found.push(one);
    expect(found.map((one) => one.digest)).toEqual([moved?.digest]);
  });

  it('writes into an archive, which has to know all beforehand', async () => {
    await addLayered(store, { name, layers, config });
    const folder = await mkdtemp(join(tmpdir(), 'oci-tar-flatten-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'flat.tar');
    const { image } = await flatten({ target: archiveTarget(path) });
    const archive = await openArchive(path);
    onTestFinished(() => archive.close());
    expect((await listed(archive)).map(({ descriptor }) => descriptor.digest)).toEqual([image.descriptor.digest]);
    expect(await filesOf(target, archive)).toEqual(await filesOf(name));
    expect(image.descriptor).toEqual((await flatten()).image.descriptor);
  });

  it('refuses what cannot be, and names nothing', async () => {
    await addLayered(store, { name, layers, config });
    await expect(flatten({ keepBase: 2 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(flatten({ keepBase: -1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(flatten({ reference: 'none:1' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(flatten({ platforms: [arm64] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await addLayered(store, { name: 'bad:1', layers: [[file('a'), file('a')]] });
    await expect(flatten({ reference: 'bad:1' })).rejects.toMatchObject({ code: 'INVALID_TAR' });
    await expect(flatten({ reference: 'bad:1', mergeLimits: { entries: 1 }, duplicates: 'last' })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await flatten({ reference: 'bad:1', duplicates: 'last', name: null })).image.name).toBeUndefined();
    expect((await listed(store)).map((image) => image.name)).not.toContain(target);
  });
});
