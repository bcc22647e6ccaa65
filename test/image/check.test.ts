import { describe, expect, it } from 'vitest';
import { codecByName, collect, digestBytes, importImages, mediaTypes, parseDigest, stringifyJson, withLayerCompression } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { layerOf, linux, listed, memoryStore, pushBytes, pushJson } from '../support/images.ts';
import { cut } from '../support/sinks.ts';

const plain = await layerOf({ a: 'a' });
const packed = {
  none: plain,
  gzip: await collect(codecByName('gzip').compress(cut(plain)), 1 << 20, 'gzip'),
  zstd: await collect(codecByName('zstd').compress(cut(plain)), 1 << 20, 'zstd'),
} as const;
type Compression = keyof typeof packed;
const compressions: readonly Compression[] = ['none', 'gzip', 'zstd'];

/** An image whose config says these diffIDs, or is these bytes. */
async function imageWith(config: { readonly diffIDs: readonly string[] } | Uint8Array, layerType: string = mediaTypes.layer, layerBytes?: Uint8Array, configType: string = mediaTypes.config): Promise<ImageStore> {
  const store = memoryStore();
  const session = await store.begin?.();
  if (session === undefined) throw new Error('no session');
  const layer = await pushBytes(session, layerType, 'layer', layerBytes ?? plain);
  const bytes = config instanceof Uint8Array ? config : stringifyJson({ ...linux, config: {}, rootfs: { type: 'layers', diff_ids: config.diffIDs } });
  const configBlob = await pushBytes(session, configType, 'config', bytes);
  const root = await pushJson(session, mediaTypes.manifest, 'manifest', {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: configBlob.descriptor,
    layers: [layer.descriptor],
  });
  await session.name('docker.io/library/odd:1', root);
  await session.end();
  return store;
}

const other = parseDigest(`sha256:${'0'.repeat(64)}`);

describe('an import refuses, before anything moves, an image whose config', () => {
  it.each([
    ['has too few diffIDs', { diffIDs: [] }, 'INVALID_MANIFEST'],
    ['has too many diffIDs', { diffIDs: [other, other] }, 'INVALID_MANIFEST'],
    ['has another diffID than the digest of its plain layer', { diffIDs: [other] }, 'DIGEST_MISMATCH'],
    ['has a diffID of an algorithm that cannot be checked here', { diffIDs: ['sha3:abc'] }, 'UNSUPPORTED'],
    ['is no JSON', new TextEncoder().encode('{"rootfs":'), 'INVALID_JSON'],
    ['is no config', new TextEncoder().encode('{"os":1}'), 'INVALID_MANIFEST'],
  ])('%s', async (_what, config, code) => {
    const target = memoryStore();
    await expect(importImages(await imageWith(config), { target })).rejects.toMatchObject({ code });
    expect(await listed(target)).toEqual([]);
  });

  it('leaves what a compressed layer unpacks to, and artifacts, alone', async () => {
    const target = memoryStore();
    await importImages(await imageWith({ diffIDs: [other] }, mediaTypes.layerGzip, packed.gzip), { target });
    await importImages(await imageWith(new TextEncoder().encode('{}'), 'application/vnd.example.data'), { target });
    expect(await listed(target)).toHaveLength(1);
  });
});

/** Every type of layer that is known here, and every compression of its bytes. */
const pairs = [mediaTypes.layer, mediaTypes.dockerLayer, mediaTypes.foreignLayer].flatMap((type) =>
  compressions.flatMap((stated) => compressions.map((actual) => ({ type: withLayerCompression(type, stated) ?? type, stated, actual }))),
);

describe('an import looks at the first bytes of each layer', () => {
  const importOf = async (type: string, bytes: Uint8Array, target = memoryStore()) => importImages(await imageWith({ diffIDs: [await digestBytes(bytes)] }, type, bytes), { target });

  it.each(pairs.filter(({ stated, actual, type }) => stated !== actual && !type.includes('nondistributable')))('and refuses $type that is $actual', async ({ type, stated, actual }) => {
    const target = memoryStore();
    await expect(importOf(type, packed[actual], target)).rejects.toMatchObject({ code: 'INVALID_COMPRESSION', details: { side: 'source', expected: stated, actual } });
    expect(await listed(target)).toEqual([]);
    const blobs: string[] = [];
    for await (const { digest } of target.blobs?.() ?? []) blobs.push(digest);
    expect(blobs).toEqual([]);
  });

  it.each(pairs.filter(({ stated, actual }) => stated === actual))('and takes $type that is what it says', async ({ type, actual }) => {
    expect((await importOf(type, packed[actual])).images).toHaveLength(1);
  });

  it.each([
    ...pairs.filter(({ type }) => type.includes('nondistributable')).map(({ type }) => type),
    `${mediaTypes.layerGzip}+encrypted`,
    'application/vnd.example.data',
  ])('but not of %s', async (type) => {
    for (const compression of compressions) expect((await importOf(type, packed[compression])).images).toHaveLength(1);
  });

  it('but not of those of an artifact, which may be any file', async () => {
    const artifact = await imageWith(new TextEncoder().encode('{}'), mediaTypes.layer, packed.gzip, 'application/vnd.unknown.config.v1+json');
    expect((await importImages(artifact, { target: memoryStore() })).images).toHaveLength(1);
  });

  it('and takes zstd that begins with a skippable frame', async () => {
    const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7);
    expect((await importOf(mediaTypes.layerZstd, Buffer.concat([skippable, packed.zstd]))).images).toHaveLength(1);
  });
});
