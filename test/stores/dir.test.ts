import { mkdir, mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyImage, digestBytes, exportImages, importImages, makePlan, mediaTypes, openArchive, openDir, openTarget, parseLocation, stringifyJson, verifyImages } from '@oci-tar/core';
import type { Content, Digest, ImageStore, NamedImage } from '@oci-tar/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addImages, addIndex, linux, listed, memoryStore } from '../support/images.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oci-tar-dir-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const fresh = async () => join(await mkdtemp(join(folder, 'case-')), 'image');
const version = 'Directory Transport Version: 1.1\n';
const hexOf = (digest: string) => digest.slice(digest.indexOf(':') + 1);

/** Copies the one image of a source into a directory, as `copy` does. */
async function copyTo(path: string, source: ImageStore, reference?: string): Promise<void> {
  const target = await openTarget(parseLocation(`dir:${path}`), { store: '' });
  await copyImage({ source, target, ...(reference === undefined ? {} : { reference }) }).finally(() => target.close());
}

async function sample(files: Readonly<Record<string, string>> = { hello: 'world\n' }): Promise<{ readonly source: ImageStore; readonly image: NamedImage; readonly contents: readonly Content[] }> {
  const source = memoryStore();
  const [image] = await addImages(source, { name: 'docker.io/library/hello:1', layers: [files, { again: '1' }] });
  if (image === undefined) throw new Error('no image');
  return { source, image, contents: [...(await makePlan(source, [image])).contents.values()] };
}

/** A directory with one image, made by hand with what a test gives it. */
async function byHand(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const path = await fresh();
  await mkdir(path);
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(path, name), bytes);
  return path;
}

const imagesOf = async (path: string) => {
  const store = await openDir(path);
  return listed(store).finally(() => store.close());
};

describe('an image copied into a directory as skopeo writes it', () => {
  it('is manifest.json, blobs by their bare digits and a version file, byte for byte', async () => {
    const { source, image, contents } = await sample();
    const path = await fresh();
    await copyTo(path, source);
    const blobs = contents.filter(({ role }) => role !== 'manifest').map(({ descriptor }) => hexOf(descriptor.digest));
    expect((await readdir(path)).toSorted()).toEqual([...blobs, 'manifest.json', 'version'].toSorted());
    expect(await readFile(join(path, 'version'), 'utf8')).toBe(version);
    expect(await digestBytes(await readFile(join(path, 'manifest.json')))).toBe(image.descriptor.digest);
    for (const hex of blobs) expect(await digestBytes(await readFile(join(path, hex)))).toBe(`sha256:${hex}`);
  });

  it('is listed without a name, under its digest and type, and verifies', async () => {
    const { source, image } = await sample();
    const path = await fresh();
    await copyTo(path, source);
    const store = await openDir(path);
    expect(await listed(store)).toEqual([{ descriptor: image.descriptor }]);
    expect((await store.resolve(image.descriptor.digest)).descriptor).toEqual(image.descriptor);
    await expect(store.resolve('hello:1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await verifyImages(store, await listed(store), { unreferenced: true })).problems).toEqual([]);
    await store.close();
  });

  it('of several platforms is an index, with a file for each manifest, and comes back whole', async () => {
    const source = memoryStore();
    const image = await addIndex(source, 'docker.io/library/multi:1', [linux, { os: 'linux', architecture: 's390x' }]);
    const path = await fresh();
    await copyTo(path, source);
    expect((await readdir(path)).filter((name) => name.endsWith('.manifest.json'))).toHaveLength(2);
    const store = await openDir(path);
    const back = memoryStore();
    await copyImage({ source: store, target: back, name: 'docker.io/library/multi:1' });
    expect((await back.resolve('multi:1')).descriptor.digest).toBe(image.descriptor.digest);
    expect((await verifyImages(back, [image])).problems).toEqual([]);
  });

  it('is exported, without a name, into an archive, which is imported under one that is given', async () => {
    const { source, image } = await sample();
    const path = await fresh();
    await copyTo(path, source);
    const output = `${path}.tar`;
    const store = await openDir(path);
    await exportImages({ source: store, references: [image.descriptor.digest], output });
    const archive = await openArchive(output);
    const target = memoryStore();
    await importImages(archive, { target, name: 'hello:2' });
    await archive.close();
    expect(await listed(target)).toMatchObject([{ name: 'docker.io/library/hello:2', descriptor: image.descriptor }]);
  });
});

describe('a directory that is written over', () => {
  it('holds the new image alone; files of other names stay', async () => {
    const old = await sample({ hello: 'old' });
    const path = await fresh();
    await copyTo(path, old.source);
    for (const name of ['signature-1', `${'0'.repeat(64)}.signature-1`, 'notes.txt']) await writeFile(join(path, name), 'x');
    const { source, contents } = await sample({ hello: 'new' });
    await copyTo(path, source);
    const blobs = contents.filter(({ role }) => role !== 'manifest').map(({ descriptor }) => hexOf(descriptor.digest));
    expect((await readdir(path)).toSorted()).toEqual([...blobs, 'manifest.json', 'notes.txt', 'version'].toSorted());
    expect((await verifyImages(await openDir(path), await imagesOf(path))).problems).toEqual([]);
  });

  it('keeps its signatures where the image is the same', async () => {
    const { source } = await sample();
    const path = await fresh();
    await copyTo(path, source);
    await writeFile(join(path, 'signature-1'), 'signed');
    await copyTo(path, source);
    expect(await readFile(join(path, 'signature-1'), 'utf8')).toBe('signed');
  });

  it('keeps its old image, whole, when the new one cannot be read to its end', async () => {
    const old = await sample({ hello: 'old' });
    const path = await fresh();
    await copyTo(path, old.source);
    const { source } = await sample({ hello: 'new' });
    await expect(copyTo(path, { ...failing(source), images: () => source.images(), resolve: (name) => source.resolve(name) })).rejects.toThrow('unplugged');
    expect(await imagesOf(path)).toEqual([{ descriptor: old.image.descriptor }]);
    expect((await verifyImages(await openDir(path), await imagesOf(path))).problems).toEqual([]);
  });

  it('has a damaged blob of the right size replaced', async () => {
    const { source, contents } = await sample();
    const path = await fresh();
    await copyTo(path, source);
    const layer = contents.find(({ role }) => role === 'layer');
    if (layer === undefined) throw new Error('no layer');
    await writeFile(join(path, hexOf(layer.descriptor.digest)), new Uint8Array(layer.descriptor.size));
    await copyTo(path, source);
    expect((await verifyImages(await openDir(path), await imagesOf(path))).problems).toEqual([]);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['that has other files', { 'notes.txt': 'mine' }, 'CONFLICT'],
    ['that is an OCI image layout', { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': '{}' }, 'CONFLICT'],
    ['whose version file says something else', { version: '1.2.3\n' }, 'INVALID_LAYOUT'],
    ['of a version to come', { version: 'Directory Transport Version: 2.0\n' }, 'INVALID_LAYOUT'],
  ])('%s is refused and left as it is', async (_, files, code) => {
    const path = await byHand(files);
    await expect(copyTo(path, (await sample()).source)).rejects.toMatchObject({ code });
    expect((await readdir(path)).toSorted()).toEqual(Object.keys(files).toSorted());
  });

  it('that has nothing but a folder or a link in it is not empty', async () => {
    const path = await byHand({});
    await mkdir(join(path, 'folder'));
    await expect(copyTo(path, (await sample()).source)).rejects.toMatchObject({ code: 'CONFLICT' });
    const other = await byHand({});
    await symlink('/nowhere', join(other, 'link'));
    await expect(copyTo(other, (await sample()).source)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('is not written at all with two images, or with what refers to one', async () => {
    const source = memoryStore();
    const images = await addImages(source, { name: 'docker.io/library/a:1', layers: [{ a: 'a' }] }, { name: 'docker.io/library/b:1' });
    const target = await openDir(await fresh(), { mayBeNew: true });
    await expect(target.begin?.(await makePlan(source, images))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const plan = await makePlan(source, images.slice(0, 1));
    await expect(target.begin?.({ ...plan, referrers: images.slice(1) })).rejects.toMatchObject({ code: 'UNSUPPORTED', details: { hint: expect.stringContaining('oci:') as string } });
    expect(await readdir(join(target.name, '..'))).toEqual([]);
  });
});

describe('a copy into a directory that ends in the middle', () => {
  it('leaves no manifest.json, says so to a reader, and goes on from what is there', async () => {
    const { source, image, contents } = await sample();
    const path = await fresh();
    await expect(copyTo(path, { ...failing(source), images: () => source.images(), resolve: (name) => source.resolve(name) })).rejects.toThrow('unplugged');
    const names = await readdir(path);
    expect(names).toContain('version');
    expect(names).not.toContain('manifest.json');
    expect(names).not.toContain('.oci-tar');
    await expect(imagesOf(path)).rejects.toMatchObject({ code: 'INVALID_LAYOUT', message: expect.stringContaining('manifest.json') as string });

    const read: Digest[] = [];
    const target = await openDir(path, { mayBeNew: true });
    await copyImage({ source, target, onEvent: (event) => (event.type === 'start' ? read.push(event.content.descriptor.digest) : undefined) });
    await target.close();
    expect(read.length).toBeLessThan(contents.length);
    expect(await imagesOf(path)).toEqual([{ descriptor: image.descriptor }]);
  });

  it('before any blob came leaves an empty directory', async () => {
    const { source } = await sample();
    const path = await fresh();
    const target = await openDir(path, { mayBeNew: true });
    const session = await target.begin?.(await makePlan(source, await listed(source)));
    await session?.abort();
    await target.close();
    expect(await readdir(path)).toEqual([]);
  });

  it('by a kill, before anything was there, does not keep another from writing', async () => {
    const { source, image } = await sample();
    const path = await byHand({});
    await mkdir(join(path, '.oci-tar', 'staging'), { recursive: true });
    await copyTo(path, source);
    expect(await imagesOf(path)).toEqual([{ descriptor: image.descriptor }]);
  });

  it('finds out at its end that another writer has taken its blobs away, and changes nothing', async () => {
    const { source, contents } = await sample({ hello: 'slow' });
    const other = await sample({ hello: 'quick' });
    const path = await fresh();
    const target = await openDir(path, { mayBeNew: true });
    const plan = await makePlan(source, await listed(source));
    const session = await target.begin?.(plan);
    for (const content of contents) await session?.push(content);
    await session?.name(undefined, contents.at(-1) ?? never());
    await copyTo(path, other.source);
    await expect(session?.end()).rejects.toMatchObject({ code: 'CONFLICT', details: { side: 'target' } });
    await session?.abort();
    await target.close();
    expect(await imagesOf(path)).toEqual([{ descriptor: other.image.descriptor }]);
    expect((await verifyImages(await openDir(path), await imagesOf(path))).problems).toEqual([]);
  });

  it('names a blob of other bytes than its digest says, and does not keep it', async () => {
    const { source, contents } = await sample();
    const layer = contents.find(({ role }) => role === 'layer')?.descriptor;
    const lying: ImageStore = {
      ...passing(source),
      open: async (blob) => (blob.digest === layer?.digest ? { size: blob.size, read: async function* () { yield new Uint8Array(blob.size); }, close: async () => {} } : source.open(blob)),
    };
    const path = await fresh();
    await expect(copyTo(path, lying)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { side: 'source' } });
    expect(await readdir(path)).not.toContain(hexOf(layer?.digest ?? ''));
  });
});

describe('a directory from anyone', () => {
  const config = stringifyJson({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
  const manifest = async (fields: object = {}) =>
    stringifyJson({ schemaVersion: 2, config: { mediaType: mediaTypes.config, digest: await digestBytes(config), size: config.byteLength }, layers: [], ...fields });

  it('without a mediaType in its manifest is read as an OCI image', async () => {
    const path = await byHand({ version, 'manifest.json': await manifest(), [hexOf(await digestBytes(config))]: config });
    const images = await imagesOf(path);
    expect(images.map(({ descriptor }) => descriptor.mediaType)).toEqual([mediaTypes.manifest]);
    expect((await verifyImages(await openDir(path), images)).problems).toEqual([]);
  });

  it('of version 1.2 has blobs of other algorithms under the name of these', async () => {
    const digest = await digestBytes(config, 'sha512');
    const document = await manifest({ config: { mediaType: mediaTypes.config, digest, size: config.byteLength } });
    const path = await byHand({ version: 'Directory Transport Version: 1.2', 'manifest.json': document, [`sha512-${hexOf(digest)}`]: config });
    expect((await verifyImages(await openDir(path), await imagesOf(path))).problems).toEqual([]);
  });

  it('that lacks a layer says which', async () => {
    const layer = { mediaType: mediaTypes.layer, digest: `sha256:${'a'.repeat(64)}`, size: 3 };
    const path = await byHand({ version, 'manifest.json': await manifest({ layers: [layer] }), [hexOf(await digestBytes(config))]: config });
    await expect(copyImage({ source: await openDir(path), target: memoryStore(), name: 'docker.io/library/x:1' })).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('aaaa') as string });
  });

  it.each(['sha256:../../etc/passwd', `sha256:${'A'.repeat(64)}`, 'sha256:version', 'sha256:manifest.json'])('with the digest %s in it is refused', async (digest) => {
    const path = await byHand({ version, 'manifest.json': await manifest({ layers: [{ mediaType: mediaTypes.layer, digest, size: 3 }] }) });
    const store = await openDir(path);
    await expect(makePlan(store, await listed(store))).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });

  it('with a digest of an unknown algorithm never has a file of that name opened', async () => {
    const layer = { mediaType: mediaTypes.layer, digest: 'other:version', size: 33 };
    const path = await byHand({ version, 'manifest.json': await manifest({ layers: [layer] }), [hexOf(await digestBytes(config))]: config });
    const store = await openDir(path);
    await expect(store.open({ ...layer, digest: 'other:version' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('with a symbolic link in place of a file is refused, whichever file it is', async () => {
    const { source, contents } = await sample();
    for (const name of ['version', 'manifest.json', ...contents.filter(({ role }) => role === 'layer').map(({ descriptor }) => hexOf(descriptor.digest))]) {
      const path = await fresh();
      await copyTo(path, source);
      await rename(join(path, name), `${path}.${name}`);
      await symlink(`${path}.${name}`, join(path, name));
      const copied = async () => copyImage({ source: await openDir(path), target: memoryStore(), name: 'docker.io/library/x:1' });
      await expect(copied(), name).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    }
  });

  it.each<[string, string | Uint8Array, string]>([
    ['over the limit', new Uint8Array(4 * 1024 * 1024 + 1).fill(0x20), 'LIMIT_EXCEEDED'],
    ['that is no JSON', 'manifest', 'INVALID_JSON'],
    ['that is a list', '[]', 'INVALID_MANIFEST'],
    ['without a schemaVersion', '{}', 'INVALID_MANIFEST'],
    ['of some other type', '{"schemaVersion":2,"mediaType":"text/plain"}', 'INVALID_MANIFEST'],
    ['of schema 1', '{"schemaVersion":1,"fsLayers":[]}', 'UNSUPPORTED'],
    ['with the same key twice', '{"schemaVersion":2,"schemaVersion":2}', 'INVALID_JSON'],
  ])('with a manifest.json %s is refused', async (_, bytes, code) => {
    await expect(imagesOf(await byHand({ version, 'manifest.json': bytes }))).rejects.toMatchObject({ code });
  });

  it('that could be an index and a manifest at once is refused', async () => {
    const path = await byHand({ version, 'manifest.json': await manifest({ manifests: [] }) });
    const store = await openDir(path);
    await expect(makePlan(store, await listed(store))).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });

  it.each<[string, Readonly<Record<string, string>>, string, string | undefined]>([
    ['that is empty', {}, 'INVALID_LAYOUT', undefined],
    ['that is an OCI image layout', { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' }, 'INVALID_LAYOUT', 'oci:'],
    ['with a version file of another kind', { version: 'v2', 'manifest.json': '{}' }, 'INVALID_LAYOUT', undefined],
    ['with a version file that does not end', { version: 'x'.repeat(300), 'manifest.json': '{}' }, 'LIMIT_EXCEEDED', undefined],
  ])('%s is refused', async (_, files, code, hint) => {
    await expect(imagesOf(await byHand(files))).rejects.toMatchObject({ code, ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) as string }) });
  });

  it('that does not exist is not found', async () => {
    await expect(imagesOf(await fresh())).rejects.toMatchObject({ code: 'NOT_FOUND', details: { side: 'source' } });
  });
});

function never(): never {
  throw new Error('no content');
}

function passing(source: ImageStore): ImageStore {
  return { name: source.name, images: () => source.images(), resolve: (name) => source.resolve(name), open: (blob) => source.open(blob), close: async () => {} };
}

/** A source whose last layer cannot be read to its end. */
function failing(source: ImageStore): ImageStore {
  let opened = 0;
  return {
    ...passing(source),
    open: async (blob) => {
      const bytes = await source.open(blob);
      if (blob.mediaType !== mediaTypes.layer || opened++ === 0) return bytes;
      return { size: bytes.size, close: async () => {}, read: async function* () { yield new Uint8Array(1); throw new Error('unplugged'); } };
    },
  };
}
