import { copyImage, digestBytes, layoutStore, memoryDriver, pruneStore, removeImage, tagImage, verifyImages } from '@oci-tar/core';
import type { Descriptor, ImageDriver, ImageStore } from '@oci-tar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addImages, addIndex, linux, listed, memoryStore, pushBytes, pushJson } from '../support/images.ts';

const [one, two] = ['docker.io/library/one:1', 'docker.io/library/two:1'];
const nothing = { blobs: 0, bytes: 0, leased: 0, abandoned: { files: 0, bytes: 0 }, referrers: 0 };

let driver: ImageDriver;
let store: ImageStore;

beforeEach(() => {
  driver = memoryDriver();
  store = memoryStore(driver);
});

async function blobs(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { path } of driver.list('blobs/')) found.push(path);
  return found;
}

async function sound(images: number): Promise<void> {
  expect(await listed(store)).toHaveLength(images);
  expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
}

async function begin(): Promise<Awaited<ReturnType<NonNullable<ImageStore['begin']>>>> {
  if (store.begin === undefined) throw new Error('read-only');
  return store.begin();
}

/** Lists something, without a name unless one is given. */
async function list(descriptor: Descriptor, name?: string): Promise<void> {
  const session = await begin();
  await session.name(name, { descriptor, role: 'other', height: 0, origins: [], read: async function* () {} });
  await session.end();
}

describe('prune', () => {
  it('frees nothing where every blob is needed, and nothing of a store that is not there yet', async () => {
    expect(await pruneStore(store)).toEqual({ ...nothing, kept: 0 });
    expect(await blobs()).toEqual([]);
    await addImages(store, { name: one });
    expect(await pruneStore(store)).toEqual({ ...nothing, kept: 3 });
    await sound(1);
  });

  it('frees what a removed image had for itself, and keeps what others share with it', async () => {
    await addImages(store, { name: one, layers: [{ shared: 'by both' }, { own: 'to one' }] }, { name: two, layers: [{ shared: 'by both' }] });
    await tagImage(store, one, 'again:1');
    await removeImage(store, one);
    expect(await pruneStore(store)).toEqual({ ...nothing, kept: 6 });
    await removeImage(store, 'again:1');
    const report = await pruneStore(store);
    expect(report).toMatchObject({ blobs: 3, kept: 3 });
    expect(report.bytes).toBeGreaterThan(1024);
    expect(await blobs()).toHaveLength(3);
    await sound(1);
  });

  it('only counts under dryRun', async () => {
    await addImages(store, { name: one });
    await removeImage(store, one);
    const report = await pruneStore(store, { dryRun: true });
    expect(report).toMatchObject({ blobs: 3, kept: 0 });
    expect(await blobs()).toHaveLength(3);
    expect(await pruneStore(store)).toEqual(report);
    expect(await blobs()).toEqual([]);
  });

  it('follows an index into those of its children that are here, and indexes inside indexes', async () => {
    const { descriptor } = await addIndex(store, one, [linux, { os: 'linux', architecture: 'arm64' }]);
    const session = await begin();
    const absent: Descriptor = { mediaType: descriptor.mediaType, digest: await digestBytes(new Uint8Array(3)), size: 3 };
    const outer = await pushJson(session, descriptor.mediaType, 'index', { schemaVersion: 2, manifests: [descriptor, absent] });
    await session.name(two, outer);
    await session.end();
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ blobs: 0, kept: 8 });
    await sound(1);
  });

  it('keeps what is listed without a name, such as a signature, but not its subject for its sake', async () => {
    const [image] = await addImages(store, { name: one });
    const session = await begin();
    const config = await pushBytes(session, 'application/vnd.oci.empty.v1+json', 'config', new TextEncoder().encode('{}'));
    const signature = await pushJson(session, 'application/vnd.oci.image.manifest.v1+json', 'manifest', { schemaVersion: 2, config: config.descriptor, layers: [], subject: image?.descriptor });
    await session.name(undefined, signature);
    await session.end();
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ blobs: 3, kept: 2 });
  });

  it('keeps content of an unknown type with what refers to it, and what JSON in the place of a manifest mentions', async () => {
    const session = await begin();
    const part = await pushBytes(session, 'text/plain', 'other', new TextEncoder().encode('part'));
    const thing = await pushBytes(session, 'application/vnd.example', 'other', new TextEncoder().encode('thing'));
    const artifact = await pushJson(session, 'application/vnd.oci.artifact.manifest.v1+json', 'other', { blobs: [part.descriptor] });
    await session.end();
    await list(artifact.descriptor, one);
    await list(thing.descriptor);
    expect(await pruneStore(store)).toMatchObject({ blobs: 0, kept: 3 });
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ blobs: 2, kept: 1 });
  });

  it('follows a manifest that is embedded in its descriptor', async () => {
    const [image] = await addImages(store, { name: one });
    if (image === undefined) throw new Error('no image');
    const path = `blobs/${image.descriptor.digest.replace(':', '/')}`;
    const source = await driver.reader(path);
    const chunks: Uint8Array[] = [];
    for await (const chunk of source.read()) chunks.push(chunk);
    await list({ ...image.descriptor, data: Buffer.concat(chunks).toString('base64') }, two);
    await removeImage(store, one);
    await driver.remove(path);
    expect(await pruneStore(store)).toMatchObject({ blobs: 0, kept: 2 });
    await sound(1);
  });

  it.each([
    ['its bytes are altered', 'DIGEST_MISMATCH', (bytes: Uint8Array) => bytes.map((byte, at) => (at === 20 ? byte ^ 1 : byte))],
    ['it is cut off', 'SIZE_MISMATCH', (bytes: Uint8Array) => bytes.subarray(0, -5)],
  ])('removes nothing when a manifest is damaged: %s', async (_, code, damage) => {
    const [image] = await addImages(store, { name: one }, { name: two, layers: [{ other: 'image' }] });
    await removeImage(store, two);
    const path = `blobs/${image?.descriptor.digest.replace(':', '/')}`;
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await driver.reader(path)).read()) chunks.push(chunk);
    const writer = await driver.writer(path);
    await writer.write(damage(Buffer.concat(chunks)));
    await writer.commit();
    await expect(pruneStore(store)).rejects.toMatchObject({ code, message: expect.stringContaining('nothing is pruned') as string });
    expect(await blobs()).toHaveLength(6);
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ blobs: 6, kept: 0 });
  });

  it('leaves files alone that are no blobs', async () => {
    await addImages(store, { name: one });
    for (const path of ['blobs/sha256/README', 'notes.txt']) {
      const writer = await driver.writer(path);
      await writer.write(new Uint8Array(4));
      await writer.commit();
    }
    expect(await pruneStore(store)).toMatchObject({ blobs: 0, kept: 3 });
    expect((await driver.reader('notes.txt')).size).toBe(4);
    expect((await driver.reader('blobs/sha256/README')).size).toBe(4);
  });

  it('is refused where nothing can be removed, and where nobody tells what is being written', async () => {
    await expect(pruneStore({ ...(await readOnly()) })).rejects.toMatchObject({ code: 'READ_ONLY' });
    await addImages(store, { name: one });
    const silent = new Proxy(driver, { get: (target, key) => (key === 'writers' || key === 'lease' ? undefined : bound(target, key)) });
    await removeImage(store, one);
    await expect(pruneStore(memoryStore(silent))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(await blobs()).toHaveLength(3);
  });

  it('stops at an interrupt', async () => {
    await addImages(store, { name: one });
    const reason = new Error('enough');
    await expect(pruneStore(store, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

function bound(target: ImageDriver, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key);
  return typeof value === 'function' ? value.bind(target) : value;
}

async function readOnly(): Promise<ImageStore> {
  const { begin: _begin, remove: _remove, prune: _prune, ...rest } = layoutStore(driver);
  return { ...rest, name: 'read-only', images: () => store.images(), resolve: (reference) => store.resolve(reference), open: (blob) => store.open(blob), close: () => store.close() };
}

describe('prune beside a session that is under way', () => {
  it('keeps what the session has found or pushed, until it ends', async () => {
    const [image] = await addImages(store, { name: one });
    if (image === undefined) throw new Error('no image');
    await removeImage(store, one);
    const session = await begin();
    expect(await session.has(image.descriptor)).toBe(true);
    const pushed = await pushBytes(session, 'text/plain', 'other', new TextEncoder().encode('pushed'));
    // `has` knows a digest only: nothing of what the manifest refers to is held with it.
    expect(await pruneStore(store)).toMatchObject({ blobs: 2, kept: 2, leased: 2 });
    expect(await session.has(pushed.descriptor)).toBe(true);
    await session.abort();
    expect(await pruneStore(store)).toMatchObject({ blobs: 2, kept: 0, leased: 0 });
  });

  it('keeps what a held manifest refers to', async () => {
    const [image] = await addImages(store, { name: one });
    if (image === undefined) throw new Error('no image');
    await removeImage(store, one);
    const session = await begin();
    await session.hold?.([image.descriptor]);
    expect(await pruneStore(store)).toMatchObject({ blobs: 0, kept: 3, leased: 3 });
    await session.name(two, { descriptor: image.descriptor, role: 'manifest', height: 1, origins: [store], read: async function* () {} });
    await session.end();
    expect(await pruneStore(store)).toEqual({ ...nothing, kept: 3 });
    await sound(1);
  });

  it('makes a session that looks for a blob just then see that it is gone', async () => {
    const [image] = await addImages(store, { name: one });
    if (image === undefined) throw new Error('no image');
    await removeImage(store, one);
    const session = await begin();
    let found: Promise<boolean> | undefined;
    const slow = new Proxy(driver, {
      get(target, key) {
        if (key !== 'remove') return bound(target, key);
        return async (path: string) => {
          // Prune has read the leases and is about to remove: the blob is still there for whoever looks now.
          found ??= session.has(image.descriptor);
          for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
          await target.remove(path);
        };
      },
    });
    expect(await pruneStore(memoryStore(slow))).toMatchObject({ blobs: 3 });
    expect(await found).toBe(false);
    await session.abort();
  });

  it('never lets a session believe in a blob that is gone, at whichever step it comes', async () => {
    for (let at = 0; ; at++) {
      driver = memoryDriver();
      let steps = 0;
      let pruning: Promise<unknown> | undefined;
      const plain = memoryStore(driver);
      const source = memoryStore();
      await addImages(source, { name: two, layers: [{ a: '1' }, { b: '2' }] });
      await copyImage({ source, target: plain, reference: two });
      await removeImage(plain, two);
      const stepping = new Proxy(driver, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key);
          if (typeof value !== 'function' || !['reader', 'lease', 'blobWriter', 'writer', 'exclusive'].includes(String(key))) return typeof value === 'function' ? value.bind(target) : value;
          return async (...args: unknown[]) => {
            // Begun, not waited for: it runs in between wherever the two do not exclude each other.
            if (steps++ === at) pruning = pruneStore(plain);
            return value.apply(target, args) as unknown;
          };
        },
      });
      store = memoryStore(stepping);
      await copyImage({ source, target: store, reference: two });
      await pruning;
      store = plain;
      await sound(1);
      if (pruning === undefined) {
        expect(at).toBeGreaterThan(8);
        break;
      }
    }
  });
});
