import { expect, it } from 'vitest';
import { digestBytes, mediaTypes, verifyImages } from '@oci-tar/core';
import { layerOf, linux, listed, memoryStore, pushBytes, pushJson } from '../support/images.ts';

it.each([
  ['sha512', true],
  ['blake3', true],
  ['sha512', false],
] as const)('verify checks diffIDs of %s as well (right: %s)', async (algorithm, right) => {
  const store = memoryStore();
  const session = await store.begin?.();
  if (session === undefined) throw new Error('no session');
  const bytes = await layerOf({ a: 'a' });
  const layer = await pushBytes(session, mediaTypes.layer, 'layer', bytes);
  const diffID = await digestBytes(right ? bytes : new Uint8Array(3), algorithm);
  const config = await pushJson(session, mediaTypes.config, 'config', { ...linux, rootfs: { type: 'layers', diff_ids: [diffID] } });
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: [layer.descriptor] };
  await session.name('a:1', await pushJson(session, mediaTypes.manifest, 'manifest', manifest));
  await session.end();
  const { problems } = await verifyImages(store, await listed(store));
  expect(problems.map(({ code }) => code)).toEqual(right ? [] : ['DIGEST_MISMATCH']);
});
