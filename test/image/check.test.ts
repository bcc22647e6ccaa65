import { describe, expect, it } from 'vitest';
import { importImages, mediaTypes, parseDigest, stringifyJson } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { layerOf, linux, listed, memoryStore, pushBytes, pushJson } from '../support/images.ts';

/** An image whose config says these diffIDs, or is these bytes. */
async function imageWith(config: { readonly diffIDs: readonly string[] } | Uint8Array, layerType: string = mediaTypes.layer): Promise<ImageStore> {
  const store = memoryStore();
  const session = await store.begin?.();
  if (session === undefined) throw new Error('no session');
  const layer = await pushBytes(session, layerType, 'layer', await layerOf({ a: 'a' }));
  const bytes = config instanceof Uint8Array ? config : stringifyJson({ ...linux, config: {}, rootfs: { type: 'layers', diff_ids: config.diffIDs } });
  const configBlob = await pushBytes(session, mediaTypes.config, 'config', bytes);
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
    ['is no JSON', new TextEncoder().encode('{"rootfs":'), 'INVALID_JSON'],
    ['is no config', new TextEncoder().encode('{"os":1}'), 'INVALID_MANIFEST'],
  ])('%s', async (_what, config, code) => {
    const target = memoryStore();
    await expect(importImages(await imageWith(config), { target })).rejects.toMatchObject({ code });
    expect(await listed(target)).toEqual([]);
  });

  it('leaves what a compressed layer unpacks to, and artifacts, alone', async () => {
    const target = memoryStore();
    await importImages(await imageWith({ diffIDs: [other] }, mediaTypes.layerGzip), { target });
    await importImages(await imageWith(new TextEncoder().encode('{}'), 'application/vnd.example.data'), { target });
    expect(await listed(target)).toHaveLength(1);
  });
});
