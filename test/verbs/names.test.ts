import { annotationKeys, bytesSource, collect, digestBytes, importImages, importStream, importedImages, layoutStore, mediaTypes, memoryDriver, readBlob, readDocument, tarReader, verifyImages } from '@oci-tar/core';
import type { Descriptor, ImageStore, ImportNaming, ImportReport } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { initLayout, writeIndex } from '../../packages/core/src/layout/files.ts';
import { tar } from '../hostile/archives.ts';
import type { Entry } from '../hostile/archives.ts';
import { addImages, listed, memoryStore } from '../support/images.ts';
import type { ImageSpec } from '../support/images.ts';
import { addMulti, faulty } from '../support/multi.ts';
import { cut } from '../support/sinks.ts';

const today = `docker.io/library/import-${new Date().toISOString().slice(0, 10)}`;

/** An archive whose index.json lists one image for each of these names, undefined for none; with the digests. */
async function archiveOf(names: readonly (string | undefined)[], more: (entries: readonly Descriptor[]) => readonly Descriptor[] = () => []): Promise<{ readonly bytes: Uint8Array; readonly digests: readonly string[] }> {
  const driver = memoryDriver();
  await initLayout(driver);
  const images = await addImages(memoryStore(driver), ...names.map((name, position): ImageSpec => ({ name: `made:${position}`, layers: [{ name: `${position} ${name ?? ''}` }] })));
  const entries = images.map(({ descriptor }, position): Descriptor => {
    const name = names[position];
    return name === undefined ? descriptor : { ...descriptor, annotations: { [annotationKeys.refName]: name } };
  });
  await writeIndex(driver, [...entries, ...more(entries)]);
  const files: Entry[] = [];
  for await (const { path, size } of driver.list()) files.push({ name: path, body: await collect((await driver.reader(path)).read(), size, path) });
  return { bytes: tar(files.sort((x, y) => (x.name < y.name ? -1 : 1))), digests: images.map(({ descriptor }) => descriptor.digest) };
}

interface Ways {
  readonly [way: string]: (bytes: Uint8Array, target: ImageStore, naming: ImportNaming) => Promise<ImportReport>;
}
const ways: Ways = {
  'a file': async (bytes, target, naming) => importImages(layoutStore(await tarReader(bytesSource(bytes))), { target, ...naming }),
  'a pipe': (bytes, target, naming) => importStream(cut(bytes), { target, ...naming }),
};

describe.each(Object.entries(ways))('names on import from %s', (_, load) => {
  const namesAfter = async (bytes: Uint8Array, naming: ImportNaming = {}) => {
    const target = memoryStore();
    const report = await load(bytes, target, naming);
    const images = await listed(target);
    return { names: images.map(({ name }) => name), images, report, target };
  };

  it('are those of the archive; a bare tag is completed, by default with the day', async () => {
    const { bytes } = await archiveOf(['example.org/app:1', 'v1']);
    expect((await namesAfter(bytes)).names).toEqual(['example.org/app:1', `${today}:v1`]);
    expect((await namesAfter(bytes, { baseName: 'example.org/app' })).names).toEqual(['example.org/app:1', 'example.org/app:v1']);
  });

  it('that are digests are none: podman save writes the ID of an image that it was asked for by it', async () => {
    const { bytes, digests } = await archiveOf([`sha256:${'ab'.repeat(32)}`]);
    await expect(namesAfter(bytes)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await namesAfter(bytes, { digests: true, baseName: 'example.org/app' })).names).toEqual([`example.org/app@${digests[0]}`]);
    expect((await namesAfter(bytes, { name: 'example.org/app:1' })).names).toEqual(['example.org/app:1']);
  });

  it.each([
    ['example.org/app', ['example.org/app:1', 'example.org/app/sub:1']],
    ['example.org', ['example.org/app:1', 'example.org/app/sub:1', 'example.org/apple:1']],
    ['example.org/app:1', ['example.org/app:1']],
    ['hello', ['docker.io/library/hello:1']],
    ['docker.io/library/hello', ['docker.io/library/hello:1']],
  ])('that do not begin with the base %s, at a border of its parts, are left out', async (baseName, expected) => {
    const { bytes } = await archiveOf(['example.org/app:1', 'example.org/app/sub:1', 'example.org/apple:1', 'hello:1']);
    const { names, report } = await namesAfter(bytes, { baseName });
    expect(names).toEqual(expected);
    expect(report.skipped).toHaveLength(4 - expected.length);
    expect(new Set(report.skipped.map(({ why }) => why))).toEqual(new Set(['other-base']));
  });

  it('can be given by digest to every image, or only to those that have no name', async () => {
    const { bytes, digests } = await archiveOf(['example.org/app:1', undefined]);
    const byDigest = digests.map((digest) => `example.org/app@${digest}`);
    expect((await namesAfter(bytes, { baseName: 'example.org/app', digests: true })).names).toEqual(['example.org/app:1', ...byDigest]);
    const { names, report } = await namesAfter(bytes, { baseName: 'example.org/app', digests: true, skipDigestForNamed: true });
    expect(names).toEqual(['example.org/app:1', byDigest[1]]);
    expect(report.skipped).toEqual([]);
    expect((await namesAfter(bytes, { digests: true })).names).toEqual(['example.org/app:1', ...digests.map((digest) => `${today}@${digest}`)]);
  });

  it('by digest are given to no image that the base name leaves out', async () => {
    const { bytes, digests } = await archiveOf(['example.org/app:1', 'example.org/other:1']);
    expect((await namesAfter(bytes, { baseName: 'example.org/app', digests: true })).names).toEqual(['example.org/app:1', `example.org/app@${digests[0]}`]);
  });

  it("keep the archive's own index, byte for byte, under a name of its own", async () => {
    const { bytes, digests } = await archiveOf(['example.org/app:1', undefined]);
    const written = await readIndexJson(bytes);
    const { names, images, target, report } = await namesAfter(bytes, { indexName: 'example.org/all' });
    expect(names).toEqual(['example.org/app:1', 'example.org/all:latest']);
    const root = images[1]?.descriptor;
    expect(root).toMatchObject({ mediaType: mediaTypes.index, digest: await digestBytes(written), size: written.byteLength });
    expect(Buffer.compare(await readBlob(target, root ?? ({} as Descriptor)), written)).toBe(0);
    expect(report.images).toHaveLength(2);
    const document = await readDocument(target, root ?? ({} as Descriptor));
    expect(document?.kind === 'index' && document.index.manifests.map(({ digest }) => digest)).toEqual(digests);
    expect((await verifyImages(target, images)).problems).toEqual([]);
    expect((await namesAfter((await archiveOf([undefined])).bytes, { indexName: 'all' })).names).toEqual(['docker.io/library/all:latest']);
  });

  it('are never given to what only refers to another image', async () => {
    const signed = await archiveOf(['example.org/app:1'], ([first]) => (first === undefined ? [] : [{ ...first, annotations: { [annotationKeys.manifestSubject]: first.digest, [annotationKeys.refName]: 'example.org/app:sig' } }]));
    const { names, report } = await namesAfter(signed.bytes, { digests: true, baseName: 'example.org/app' });
    expect(names).toEqual(['example.org/app:1', `example.org/app@${signed.digests[0]}`]);
    expect(report.skipped).toMatchObject([{ why: 'referrer' }]);
  });

  it('that are missing beside others are told of, unless the same image has a name as well', async () => {
    const { bytes, digests } = await archiveOf(['example.org/app:1', undefined]);
    const { names, report } = await namesAfter(bytes);
    expect(names).toEqual(['example.org/app:1']);
    expect(report.skipped).toMatchObject([{ why: 'nameless', descriptor: { digest: digests[1] } }]);
    const twice = await archiveOf(['example.org/app:1'], ([first]) => (first === undefined ? [] : [{ mediaType: first.mediaType, digest: first.digest, size: first.size }]));
    expect((await namesAfter(twice.bytes)).report.skipped).toEqual([]);
  });

  it('that leave nothing to import are an error that says why and what to do', async () => {
    const failing = async (names: readonly (string | undefined)[], naming: ImportNaming = {}) => namesAfter((await archiveOf(names)).bytes, naming).catch((error: unknown) => error);
    expect(await failing([])).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('holds no image') as string });
    expect(await failing([undefined])).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('have no names') as string, hint: expect.stringMatching(/NEW-NAME.*--digests/) as string });
    expect(await failing(['example.org/app:1'], { baseName: 'example.org/ap' })).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('belongs to example.org/ap') as string, hint: 'It holds example.org/app:1.' });
    const referrer = await archiveOf(['example.org/x:1']);
    const onlyReferrers = await archiveOf([], () => [{ mediaType: mediaTypes.manifest, digest: `sha256:${'1'.repeat(64)}`, size: 1, annotations: { [annotationKeys.manifestSubject]: referrer.digests[0] ?? '' } }]);
    expect(await namesAfter(onlyReferrers.bytes).catch((error: unknown) => error)).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('only what refers') as string });
  });

  it('that exclude each other, or cannot be made, are refused', async () => {
    const failing = async (names: readonly string[], naming: ImportNaming) => namesAfter((await archiveOf(names)).bytes, naming).catch((error: unknown) => error);
    expect(await failing(['a:1'], { name: 'b', baseName: 'c' })).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failing(['a:1'], { name: 'b', digests: true })).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failing(['a:1'], { skipDigestForNamed: true })).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failing(['v1'], { baseName: 'example.org/app:2' })).toMatchObject({ code: 'INVALID_REFERENCE', details: { subject: 'example.org/app:2' } });
    expect(await failing(['a:1'], { indexName: 'Not A Name' })).toMatchObject({ code: 'INVALID_REFERENCE' });
    expect(await failing(['a:1'], { indexName: 'a:1' })).toMatchObject({ code: 'CONFLICT' });
  });
});

describe('the index of a place that writes none', () => {
  it('is made up of what it lists, and refers to all of it', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, 'docker.io/library/a:1', ['linux/amd64']);
    const { source, images } = await importedImages(faulty(store, {}), { indexName: 'all' });
    const made = JSON.parse(new TextDecoder().decode(await readBlob(source, images[1]?.descriptor ?? image.descriptor))) as unknown;
    expect(made).toMatchObject({ schemaVersion: 2, manifests: [{ digest: image.descriptor.digest }] });
  });
});

async function readIndexJson(bytes: Uint8Array): Promise<Uint8Array> {
  const source = await (await tarReader(bytesSource(bytes))).reader('index.json');
  return collect(source.read(), source.size, 'index.json');
}
