import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bytesSource, codecByName, copyImage, createImage, dedupStore, digestBytes, importStream, exportImages, localStore, openDirectory, openTarget, parseLocation, verifyImages } from '@oci-tar/core';
import type { DedupStore, Descriptor, ImageDriver, ImageStore } from '@oci-tar/core';
import { driverConformance } from '@oci-tar/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DedupDriver } from '../../packages/core/src/stores/dedup/driver.ts';
import { Random } from '../fuzz/random.ts';
import { addImages, layerOf, linux, listed, pushBytes, pushJson } from '../support/images.ts';
import { MemorySink, cut } from '../support/sinks.ts';
import { gather } from '../tar/streams.ts';
import fc from '../support/fast-check.ts';

let root: string;
let place: string;
let store: DedupStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'oci-tar-dedup-'));
  place = join(root, 'dedup');
  store = dedupStore(place, { mayBeNew: true });
});
afterEach(async () => {
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

/** Files of some size that no two share. */
const file = (name: string, length = 3000) => Array.from({ length: length / 8 }, (_, i) => `${name} ${i}`.padEnd(7)).join('\n');
const shared = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`usr/lib/file${i}`, file(`shared ${i}`)]));

/** A text that shrinks to about half, however hard one tries. */
function noise(length: number): string {
  const random = new Random(1);
  return Array.from({ length }, () => random.below(16).toString(16)).join('');
}

/** Blobs as one session takes them; told apart by their digests. */
async function take(target: ImageStore, ...blobs: readonly Uint8Array[]): Promise<readonly Descriptor[]> {
  const session = await target.begin?.();
  if (session === undefined) throw new Error('read-only');
  const taken: Descriptor[] = [];
  for (const bytes of blobs) taken.push((await pushBytes(session, 'application/vnd.oci.image.layer.v1.tar', 'layer', bytes)).descriptor);
  const config = await pushJson(session, 'application/vnd.oci.empty.v1+json', 'config', {});
  const manifest = await pushJson(session, 'application/vnd.oci.image.manifest.v1+json', 'manifest', { schemaVersion: 2, artifactType: 'x/y', config: config.descriptor, layers: taken });
  await session.name(`blobs:${taken.length}`, manifest);
  await session.end();
  return taken;
}

const compressed = async (bytes: Uint8Array, codec: string, level?: number) => gather(codecByName(codec).compress(cut(bytes), level === undefined ? {} : { level }));
const read = async (blob: Descriptor, start?: number, end?: number) => Buffer.from(await gather((await store.open(blob)).read(start, end)));
const payloads = () => readdirSync(join(place, 'dedup/payloads/sha256'));
const wholeBlobs = () => readdirSync(join(place, 'blobs/sha256'));

describe('the driver of a deduplicated store', () => {
  const harness = {
    access: 'random' as const,
    create: async () => new DedupDriver(join(root, 'driver')),
    reopen: async (driver: ImageDriver) => {
      await driver.close();
      return new DedupDriver(join(root, 'driver'));
    },
  };
  for (const { name, run } of driverConformance(harness)) it(name, run);
});

describe('layers', () => {
  it.each([
    ['not compressed', (tar: Uint8Array) => tar],
    ['gzip of our own', (tar: Uint8Array) => compressed(tar, 'gzip')],
    ['gzip of level 9', (tar: Uint8Array) => compressed(tar, 'gzip', 9)],
    ['gzip of level 1', (tar: Uint8Array) => compressed(tar, 'gzip', 1)],
    ['zlib\'s gzip with a name and a time', async (tar: Uint8Array) => {
      const plain = gzipSync(tar, { level: 6 });
      return Buffer.concat([plain.subarray(0, 3), Buffer.from([8, 1, 2, 3, 4]), plain.subarray(8, 9), Buffer.from([3]), Buffer.from('layer.tar\0'), plain.subarray(10)]);
    }],
    ['zstd', (tar: Uint8Array) => compressed(tar, 'zstd')],
    ['zstd of level 7', (tar: Uint8Array) => compressed(tar, 'zstd', 7)],
  ])('that are %s are taken apart and come out byte for byte, whole and in part', async (_, form) => {
    const bytes = await form(await layerOf({ ...shared, large: noise(1_500_000) }));
    const [blob] = await take(store, bytes);
    if (blob === undefined) throw new Error('nothing was taken');
    expect(wholeBlobs()).not.toContain(blob.digest.slice(7));
    expect(await store.usage()).toMatchObject({ layersTakenApart: 1, files: 13 });
    expect((await read(blob)).equals(bytes)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), fc.nat(bytes.length), async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        expect((await read(blob, start, end)).equals(bytes.subarray(start, end))).toBe(true);
      }),
      { numRuns: 5, examples: [[0, 0], [bytes.length, bytes.length]] },
    );
  });

  it.each([
    ['gzip that our codec does not write', async (tar: Uint8Array) => gzipSync(tar, { memLevel: 2, strategy: 2 })],
    ['gzip of two members', async (tar: Uint8Array) => Buffer.concat([gzipSync(tar.subarray(0, 1024)), gzipSync(tar.subarray(1024))])],
    ['gzip that is damaged', async (tar: Uint8Array) => gzipSync(tar).fill(0, 3000)],
    ['gzip with something after it', async (tar: Uint8Array) => Buffer.concat([await compressed(tar, 'gzip'), Buffer.alloc(10)])],
    ['no tar', async () => Buffer.alloc(50_000, 'text')],
    ['gzip of no tar', async () => compressed(Buffer.alloc(500_000, 'text'), 'gzip', 1)],
  ])('that are %s are kept whole', async (_, form) => {
    const bytes = await form(await layerOf({ ...shared, more: file('more', 100_000) }));
    const [blob] = await take(store, bytes);
    if (blob === undefined) throw new Error('nothing was taken');
    expect(wholeBlobs()).toContain(blob.digest.slice(7));
    expect(await store.usage()).toMatchObject({ layersTakenApart: 0, files: 0 });
    expect((await read(blob)).equals(bytes)).toBe(true);
    await store.close();
    expect(existsSync(join(place, '.oci-tar'))).toBe(false);
  });

  it('share the files that they have in common', async () => {
    const [one, two] = [await layerOf({ ...shared, a: file('a') }), await layerOf({ b: file('b'), ...shared })];
    const blobs = await take(store, one, two, await compressed(one, 'gzip'), await compressed(two, 'zstd'));
    expect(await store.usage()).toMatchObject({ blobs: 6, layersTakenApart: 4, files: 14 });
    const { logicalBytes, storedBytes } = await store.usage();
    expect(logicalBytes).toBeGreaterThan(blobs.reduce((sum, { size }) => sum + size, 0));
    expect(storedBytes).toBeLessThan(logicalBytes / 2);
    expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
  });
});

describe('images', () => {
  it('go in and out with their digests: copy, export, import, another dedup store', async () => {
    const source = await localStore(join(root, 'local'));
    const layer = join(root, 'layer.tar');
    writeFileSync(layer, await layerOf(shared));
    for (const codec of ['gzip', 'zstd', 'none']) await createImage({ target: source, name: `${codec}:1`, layers: [layer], platform: linux, codec: codecByName(codec) });
    for (const codec of ['gzip', 'zstd', 'none']) await copyImage({ source, target: store, reference: `${codec}:1` });
    expect(await store.usage()).toMatchObject({ layersTakenApart: 3, files: 12 });
    const [ours, theirs] = [new MemorySink(), new MemorySink()];
    await exportImages({ source: store, references: ['gzip:1', 'zstd:1', 'none:1'], output: ours });
    await exportImages({ source, references: ['gzip:1', 'zstd:1', 'none:1'], output: theirs });
    expect(Buffer.compare(ours.bytes, theirs.bytes)).toBe(0);
    const second = dedupStore(join(root, 'second'), { mayBeNew: true });
    await importStream(cut(ours.bytes), { target: second });
    expect((await second.usage()).layersTakenApart).toBe(3);
    expect((await verifyImages(second, await listed(second))).problems).toEqual([]);
    await second.close();
    await source.close();
  });

  it('are found by whoever opens the directory as a layout', async () => {
    await addImages(store, { name: 'docker.io/library/a:1', layers: [shared] });
    await store.close();
    for (const open of [() => openDirectory(place), () => localStore(place), () => openTarget(parseLocation(`dedup:${place}:a`), { store: root })]) {
      const again = await open();
      expect((await verifyImages(again, await listed(again))).problems).toEqual([]);
      await again.close();
    }
    expect(parseLocation('dedup:dir:name:1')).toEqual({ scheme: 'dedup', path: 'dir', reference: 'name:1' });
  });
});

describe('pruning', () => {
  it('frees the files that only the removed image had, and says beforehand how much that is', async () => {
    await addImages(store, { name: 'docker.io/library/a:1', layers: [{ ...shared, a: file('a') }] }, { name: 'docker.io/library/b:1', layers: [{ ...shared, b: file('b') }] });
    expect(payloads()).toHaveLength(14);
    await store.remove?.('a:1');
    const before = (await store.usage()).storedBytes;
    const dry = await store.prune?.({ dryRun: true });
    expect((await store.usage()).storedBytes).toBe(before);
    const report = await store.prune?.();
    expect(report).toMatchObject({ blobs: 3, bytes: before - (await store.usage()).storedBytes });
    expect(dry?.bytes).toBe(report?.bytes);
    expect(payloads()).toHaveLength(13);
    expect(payloads()).not.toContain((await digestBytes(Buffer.from(file('a')))).slice(7));
    expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
    await store.remove?.('b:1');
    await store.prune?.();
    expect(await store.usage()).toEqual({ blobs: 0, logicalBytes: 0, layersTakenApart: 0, files: 0, storedBytes: 0 });
  });

  it('spares what others are writing, whatever comes between', async () => {
    const writers = await Promise.all(
      Array.from({ length: 3 }, async (_, i) => {
        const own = dedupStore(place, { mayBeNew: true });
        for (let round = 0; round < 2; round++) {
          await addImages(own, { name: `docker.io/library/w${i}:${round}`, layers: [{ ...shared, [`f${round}`]: file(`${i} ${round}`) }, { ...shared, common: file('common') }] });
          if (round > 0) await own.remove?.(`w${i}:${round - 1}`);
          await own.prune?.();
        }
        return own;
      }),
    );
    const images = await listed(store);
    expect(images).toHaveLength(3);
    expect((await verifyImages(store, images)).problems).toEqual([]);
    await store.prune?.();
    expect(payloads()).toHaveLength(12 + 1 + 3);
    for (const own of writers) await own.close();
    expect(existsSync(join(place, '.oci-tar'))).toBe(false);
  });
});

describe('damage', () => {
  const image = { name: 'docker.io/library/a:1', layers: [shared] };
  const change = (path: string, by: (bytes: Buffer) => Buffer) => {
    const changed = by(readFileSync(path));
    rmSync(path);
    writeFileSync(path, changed);
  };
  const first = (folder: string) => join(place, folder, readdirSync(join(place, folder))[0] ?? '');

  it.each<[string, () => void]>([
    ['a file that is changed', () => change(first('dedup/payloads/sha256'), (bytes) => bytes.fill(7, bytes.length - 9))],
    ['a file that is cut off', () => change(first('dedup/payloads/sha256'), (bytes) => bytes.subarray(0, 40))],
    ['a file that is empty', () => change(first('dedup/payloads/sha256'), () => Buffer.alloc(0))],
    ['a file of another form', () => change(first('dedup/payloads/sha256'), (bytes) => bytes.fill(9, 0, 1))],
    ['a file that is gone', () => rmSync(first('dedup/payloads/sha256'))],
    ['a recipe that is cut off', () => change(first('dedup/recipes/sha256'), (bytes) => bytes.subarray(0, bytes.length - 50))],
    ['a recipe that is none', () => change(first('dedup/recipes/sha256'), () => Buffer.from('{}\n'))],
    ['a recipe of another layer', () => change(first('dedup/recipes/sha256'), (bytes) => Buffer.from(bytes.toString('latin1').replace(/"size":\d/, '"size":9'), 'latin1'))],
  ])('is found, removed, and brought back by taking the image again: %s', async (_, damage) => {
    await addImages(store, image);
    damage();
    const { problems } = await verifyImages(store, await listed(store));
    expect(problems).toHaveLength(1);
    const [problem] = problems;
    if (problem === undefined) throw new Error('no problem');
    expect(await store.discardDamaged?.(problem.descriptor)).toBe(true);
    expect(await store.discardDamaged?.(problem.descriptor)).toBe(false);
    await addImages(store, image);
    expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
    expect(await store.usage()).toMatchObject({ layersTakenApart: 1, files: 12 });
  });

  it('of a file that is there already keeps the next layer whole instead of spoiling it', async () => {
    await addImages(store, image);
    change(first('dedup/payloads/sha256'), (bytes) => bytes.fill(7, bytes.length - 9));
    const [blob] = await take(store, await layerOf({ ...shared, more: file('more') }));
    if (blob === undefined) throw new Error('nothing was taken');
    expect(statSync(join(place, 'blobs/sha256', blob.digest.slice(7))).size).toBe(blob.size);
    expect(await digestBytes(await read(blob))).toBe(blob.digest);
  });

  it('that only the codec of another version would do is told as that', async () => {
    await take(store, await compressed(await layerOf(shared), 'gzip'));
    change(first('dedup/recipes/sha256'), (bytes) => Buffer.from(bytes.toString('latin1').replace('"level":4', '"level":9').replace(/"engine":"zlib [^ ]*/, (found) => `${found.slice(0, -1)}X`), 'latin1'));
    const [{ problems }] = [await verifyImages(store, await listed(store))];
    expect(problems).toMatchObject([{ code: expect.stringMatching(/MISMATCH/) }]);
  });

  it('does not make a source of bytes that were promised otherwise', async () => {
    const bytes = await layerOf(shared);
    const session = await store.begin?.();
    const descriptor = { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: await digestBytes(Buffer.from('other')), size: bytes.length };
    await expect(session?.push({ descriptor, role: 'layer', height: 0, origins: [], read: () => bytesSource(bytes).read() })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await session?.abort();
    expect(payloads()).toEqual([]);
    expect(wholeBlobs()).toEqual([]);
  });
});
