import { assertVerified, bytesSource, codecByName, compressedForm, convertImage, estargz, externalTocCompressor, externalTocDecompressor, mediaTypes, openImage, openSeekable, readDocument, seekableForm, tocDigestAnnotation, verifyImages } from '@oci-tar/core';
import type { ImageStore, LayerForm, Manifest } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addImages, addIndex, linux, listed, memoryStore, pushJson } from '../support/images.ts';
import { addDocument, addMulti, faulty, foreignLayer, session } from '../support/multi.ts';

const name = 'docker.io/library/hello:1';
const converted = 'docker.io/library/hello:converted';
const layers = [{ 'a/first': 'one '.repeat(5000), 'a/second': 'two' }, { third: 'three' }, { 'a/first': 'one '.repeat(5000), 'a/second': 'two' }];

const gzipForm = compressedForm(codecByName('gzip'));
const zstdForm = compressedForm(codecByName('zstd'));
const estargzForm = seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, compressor: estargz() });
const externalForm = seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, compressor: externalTocCompressor(), decompressor: (toc) => externalTocDecompressor(toc === undefined ? undefined : bytesSource(toc)), lossless: true });

async function hello(): Promise<ImageStore> {
  const store = memoryStore();
  await addImages(store, { name, layers });
  return store;
}

async function convert(store: ImageStore, form: LayerForm, more: Partial<Parameters<typeof convertImage>[0]> = {}) {
  const report = await convertImage({ source: store, target: store, reference: name, name: converted, form, ...more });
  assertVerified(await verifyImages(store, await listed(store)));
  return report;
}

async function manifestOf(store: ImageStore, reference = converted): Promise<Manifest> {
  const document = await readDocument(store, (await store.resolve(reference)).descriptor);
  if (document?.kind !== 'manifest') throw new Error('no manifest');
  return document.manifest;
}

describe('a converted image', () => {
  it.each([
    ['gzip', gzipForm, mediaTypes.layerGzip],
    ['zstd', zstdForm, mediaTypes.layerZstd],
    ['estargz', estargzForm, mediaTypes.layerGzip],
  ])('has layers of %s, each different one converted once, and verifies', async (_, form, type) => {
    const store = await hello();
    const report = await convert(store, form);
    expect(report.layers).toHaveLength(2);
    const manifest = await manifestOf(store);
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual([type, type, type]);
    expect(manifest.layers[0]?.digest).toBe(manifest.layers[2]?.digest);
  });

  it('is plain again after the way back, with the digest that it had', async () => {
    const store = await hello();
    await convert(store, zstdForm);
    await convertImage({ source: store, target: store, reference: converted, name: 'docker.io/library/hello:back', form: compressedForm(codecByName('none')) });
    expect((await store.resolve('hello:back')).descriptor.digest).toBe((await store.resolve(name)).descriptor.digest);
  });

  it('stays as it is where it has the form already; a level writes it anew', async () => {
    const store = await hello();
    await convert(store, gzipForm);
    const again = await convertImage({ source: store, target: store, reference: converted, name: 'docker.io/library/hello:again', form: gzipForm });
    expect(again.layers).toEqual([]);
    expect(again.image.descriptor.digest).toBe((await store.resolve(converted)).descriptor.digest);
    const harder = await convertImage({ source: store, target: store, reference: converted, name: 'docker.io/library/hello:again', form: compressedForm(codecByName('gzip'), { level: 9 }) });
    expect(harder.layers).toHaveLength(2);
  });

  it('keeps config and history but for the diffIDs, and says by an annotation which TOC is right', async () => {
    const store = await hello();
    await convert(store, estargzForm);
    const [before, after] = [await openImage(store, (await store.resolve(name)).descriptor), await openImage(store, (await store.resolve(converted)).descriptor)];
    expect({ ...after.config, rootfs: before.config.rootfs }).toEqual(before.config);
    for (const { descriptor, open } of after.layers) {
      const layer = await openSeekable(await open());
      expect(layer.tocDigest).toBe(descriptor.annotations?.[tocDigestAnnotation]);
    }
  });

  it('that is written anew in another form is no longer annotated as the old one', async () => {
    const store = await hello();
    await convert(store, estargzForm);
    await convertImage({ source: store, target: store, reference: converted, name: converted, form: zstdForm });
    expect((await manifestOf(store)).layers.map(({ annotations }) => annotations)).toEqual([undefined, undefined, undefined]);
  });

  it('keeps its ID where the TOCs are in an image of their own, which names each layer', async () => {
    const store = await hello();
    const { tocImage } = await convert(store, externalForm);
    expect((await manifestOf(store)).config.digest).toBe((await manifestOf(store, name)).config.digest);
    expect(tocImage?.name).toBe(`${converted}-esgztoc`);
    const tocs = await manifestOf(store, `${converted}-esgztoc`);
    const named = tocs.layers.map(({ annotations }) => annotations?.['containerd.io/snapshot/stargz/layer.digest']);
    expect(new Set(named)).toEqual(new Set((await manifestOf(store)).layers.map(({ digest }) => digest)));
    expect(tocs.layers.map(({ digest }) => digest)).toEqual(tocs.layers.map(({ digest }) => digest).sort());
  });

  it('stays as it is where the TOC of every layer is in it and vouched for, unless that is to be another', async () => {
    const store = await hello();
    await convert(store, estargzForm);
    const again = { source: store, target: store, reference: converted, name: 'docker.io/library/hello:again' };
    expect((await convertImage({ ...again, form: estargzForm })).layers).toEqual([]);
    const anew = await convertImage({ ...again, form: seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, compressor: estargz(), chunkSize: 100, anew: true }) });
    expect(anew.layers).toHaveLength(2);
    expect(anew.image.descriptor.digest).not.toBe(anew.from.digest);
  });

  it('is written anew where an annotation names a TOC that is elsewhere, or another one', async () => {
    const store = await hello();
    await convert(store, externalForm);
    const inside = await convertImage({ source: store, target: store, reference: converted, name: 'docker.io/library/hello:inside', form: estargzForm });
    expect(inside.layers).toHaveLength(2);
    const outside = await convertImage({ source: store, target: store, reference: converted, name: 'docker.io/library/hello:outside', form: externalForm });
    expect(outside.tocImage?.name).toBe('docker.io/library/hello:outside-esgztoc');
    expect(outside.image.descriptor.digest).toBe((await store.resolve(converted)).descriptor.digest);
    const { layers: [first, ...others], ...manifest } = await manifestOf(store, 'docker.io/library/hello:inside');
    await addDocument(store, 'docker.io/library/hello:lie', mediaTypes.manifest, { ...manifest, layers: [{ ...first, annotations: { [tocDigestAnnotation]: `sha256:${'ab'.repeat(32)}` } }, ...others] });
    const mended = await convertImage({ source: store, target: store, reference: 'docker.io/library/hello:lie', name: 'docker.io/library/hello:mended', form: estargzForm });
    expect(mended.layers).toHaveLength(1);
    expect((await openImage(store, mended.image.descriptor)).layers.map(({ descriptor }) => descriptor.annotations?.[tocDigestAnnotation])).not.toContain(`sha256:${'ab'.repeat(32)}`);
  });

  it('keeps annotations of others, on the index, its entries, the manifests and their layers', async () => {
    const store = await hello();
    const { layers: [first, ...others], ...manifest } = await manifestOf(store, name);
    const child = await addDocument(store, undefined, mediaTypes.manifest, { ...manifest, annotations: { 'org.example.manifest': 'm' }, layers: [{ ...first, annotations: { 'org.example.layer': 'l', 'io.containers.estargz.uncompressed-size': '1' } }, ...others] });
    const entry = { ...child.descriptor, platform: linux, annotations: { 'org.example.entry': 'e' } };
    await addDocument(store, 'docker.io/library/hello:noted', mediaTypes.index, { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [entry], annotations: { 'org.example.index': 'i' } });
    const report = await convert(store, zstdForm, { reference: 'docker.io/library/hello:noted' });
    const index = await readDocument(store, report.image.descriptor);
    if (index?.kind !== 'index') throw new Error('no index');
    expect([index.index.annotations, index.index.manifests[0]?.annotations]).toEqual([{ 'org.example.index': 'i' }, { 'org.example.entry': 'e' }]);
    const made = await readDocument(store, report.manifests[0]?.to ?? report.from);
    expect(made?.kind === 'manifest' ? [made.manifest.annotations, made.manifest.layers[0]?.annotations] : []).toEqual([{ 'org.example.manifest': 'm' }, { 'org.example.layer': 'l' }]);
    expect(report.lostAnnotations).toBe(false);
    expect((await convert(store, zstdForm, { reference: 'docker.io/library/hello:noted', mediaTypes: 'docker' })).lostAnnotations).toBe(true);
    expect((await convert(store, zstdForm, { mediaTypes: 'docker' })).lostAnnotations).toBe(false);
  });

  it('keeps its attestations, which go on describing the images they are of', async () => {
    const store = memoryStore();
    const { of } = await addMulti(store, name, ['linux/amd64', 'linux/arm64'], { attestations: true });
    const report = await convert(store, estargzForm);
    const index = await readDocument(store, report.image.descriptor);
    if (index?.kind !== 'index') throw new Error('no index');
    const attestations = index.index.manifests.slice(2);
    expect(attestations.map(({ digest }) => digest)).toEqual(Object.values(of).map(({ attestation }) => attestation?.manifest.digest));
    expect(attestations.map(({ annotations }) => annotations?.['vnd.docker.reference.digest'])).toEqual(report.manifests.map(({ to }) => to.digest));
    expect(index.index.manifests.slice(0, 2).map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'arm64']);
  });

  it('keeps layers that are not to be redistributed, wherever they are', async () => {
    const store = await hello();
    const foreign = await foreignLayer(store, ['https://example.com/layer']);
    const { config: _, layers: [own], ...manifest } = await manifestOf(store, name);
    const opened = await session(store);
    const config = await pushJson(opened, mediaTypes.config, 'config', { ...linux, config: {}, rootfs: { type: 'layers', diff_ids: [foreign.digest, own?.digest] } });
    await opened.end();
    await addDocument(store, 'docker.io/library/hello:foreign', mediaTypes.manifest, { ...manifest, config: config.descriptor, layers: [foreign, own] });
    const without = faulty(store, { absent: [foreign.digest] });
    const report = await convertImage({ source: without, target: store, reference: 'docker.io/library/hello:foreign', name: converted, form: estargzForm });
    expect(report.layers).toHaveLength(1);
    expect((await manifestOf(store)).layers[0]).toEqual(foreign);
  });

  it("has docker's media types and no annotations where these are wanted, and OCI's again on the way back", async () => {
    const store = await hello();
    await convert(store, gzipForm, { mediaTypes: 'docker' });
    const manifest = await manifestOf(store);
    expect([manifest.mediaType, manifest.config.mediaType, manifest.layers[0]?.mediaType]).toEqual([mediaTypes.dockerManifest, mediaTypes.dockerConfig, mediaTypes.dockerLayerGzip]);
    expect((await store.resolve(converted)).descriptor.mediaType).toBe(mediaTypes.dockerManifest);
    await convertImage({ source: store, target: store, reference: converted, name: converted, form: estargzForm });
    expect((await manifestOf(store)).mediaType).toBe(mediaTypes.manifest);
    assertVerified(await verifyImages(store, await listed(store)));
  });

  it('of several platforms is converted on each, or on those that are chosen', async () => {
    const store = memoryStore();
    const arm = { os: 'linux', architecture: 'arm64' };
    await addIndex(store, name, [linux, arm]);
    const all = await convert(store, zstdForm);
    expect(all.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
    const one = await convert(store, gzipForm, { platforms: [arm] });
    expect(one.manifests.map(({ platform }) => platform.architecture)).toEqual(['arm64']);
    const docker = await convert(store, gzipForm, { mediaTypes: 'docker' });
    const document = await readDocument(store, docker.image.descriptor);
    expect(document?.kind === 'index' ? [docker.image.descriptor.mediaType, ...document.index.manifests.map(({ mediaType }) => mediaType)] : []).toEqual([mediaTypes.dockerIndex, mediaTypes.dockerManifest, mediaTypes.dockerManifest]);
  });
});

describe('a conversion', () => {
  it('names nothing when a new layer turns out wrong as it is read back', async () => {
    const store = await hello();
    const wrong: LayerForm = { ...zstdForm, check: (blob, report) => zstdForm.check(blob, { ...report, diffID: `sha256:${'ab'.repeat(32)}` }) };
    await expect(convert(store, wrong)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect((await listed(store)).map((image) => image.name)).toEqual([name]);
  });

  it('writes a layer once that images of several platforms share', async () => {
    const store = await hello();
    const { layers: shared } = await manifestOf(store, name);
    await addMulti(store, 'docker.io/library/hello:multi', ['linux/amd64', 'linux/arm64'], { layers: shared });
    const report = await convert(store, estargzForm, { reference: 'docker.io/library/hello:multi' });
    expect(report.layers).toHaveLength(4);
  });

  it('names nothing when a layer is damaged', async () => {
    const store = await hello();
    const [first] = (await manifestOf(store, name)).layers;
    await expect(convertImage({ source: faulty(store, { damaged: [first?.digest ?? ''] }), target: store, reference: name, name: converted, form: estargzForm })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect((await listed(store)).map((image) => image.name)).toEqual([name]);
  });

  it('puts files first that are in any layer, and says which are in none', async () => {
    const store = await hello();
    const form = (files: readonly string[]) => seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, prioritizedFiles: files });
    await expect(convert(store, form(['third', 'a/second', 'nowhere']))).rejects.toMatchObject({ code: 'NOT_FOUND', details: { subject: 'nowhere' } });
    const report = await convert(store, form(['third', 'a/second', 'nowhere']), { missingPrioritized: 'report' });
    expect(report.missingPrioritized).toEqual(['nowhere']);
    const { layers: opened } = await openImage(store, report.image.descriptor);
    const first = await Promise.all(opened.map(async ({ open }) => (await openSeekable(await open())).toc.entries[0]?.name));
    expect(first).toEqual(['a/second', 'third', 'a/second']);
  });
});
