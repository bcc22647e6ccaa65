import type { ErrorCode } from '@oci-tar/core';
import { describe, it } from 'vitest';
import { refused, ways } from '../hostile/attempt.ts';
import { crane, json, tarOf, text } from './docker-archives.ts';
import type { Entry } from './docker-archives.ts';
import { asItem, but, changedConfig, diffIDs, item, manifest, one, withConfig } from './docker-bad-samples.ts';

const duplicateKey = text(new TextDecoder().decode(one.config).replace('"os":', '"os":"windows","os":'));

const cases: readonly (readonly [what: string, code: ErrorCode, entries: readonly Entry[]])[] = [
  ['a manifest.json that is not JSON', 'INVALID_JSON', but(manifest(text('[{')))],
  ['a manifest.json that is empty', 'INVALID_JSON', but(manifest(text('')))],
  ['a manifest.json of null', 'INVALID_MANIFEST', but(manifest(null))],
  ['a manifest.json that is an object', 'INVALID_MANIFEST', but(manifest({ ...item }))],
  ["a manifest.json that is one image's manifest", 'INVALID_MANIFEST', but(manifest({ schemaVersion: 2, config: {}, layers: [] }))],
  ['a manifest.json without images', 'NOT_FOUND', but(manifest([]))],
  ['an item of null', 'INVALID_MANIFEST', but(manifest([null]))],
  ['an item without Config', 'INVALID_MANIFEST', but(manifest([{ RepoTags: item.RepoTags, Layers: item.Layers }]))],
  ['an item without Layers', 'INVALID_MANIFEST', but(manifest([{ Config: 'c.json', RepoTags: item.RepoTags }]))],
  ['layers that are no list', 'INVALID_MANIFEST', asItem({ Layers: 'lower.tar' })],
  ['a layer that is no path', 'INVALID_MANIFEST', asItem({ Layers: ['lower.tar', 7] })],
  ['a key of manifest.json that is there twice', 'INVALID_JSON', but(manifest(text('[{"Config":"c.json","Config":"d.json","Layers":[]}]')))],
  ['a manifest.json over the limit', 'LIMIT_EXCEEDED', but(manifest(new Uint8Array(4 * 1024 * 1024 + 1).fill(0x20)))],
  ['a manifest.json nested too deep', 'LIMIT_EXCEEDED', but(manifest(text('['.repeat(1000))))],
  ['a name that is no reference', 'INVALID_REFERENCE', asItem({ RepoTags: ['a b:1'] })],
  ['one name for two images', 'INVALID_MANIFEST', but(manifest([item, { ...item, Config: 'd.json' }]), { name: 'd.json', body: changedConfig({ author: 'other' }) })],
  ['a config that is not JSON', 'INVALID_JSON', but({ name: 'c.json', body: text('{"os":') })],
  ['a config that is a list', 'INVALID_MANIFEST', but({ name: 'c.json', body: text('[]') })],
  ['a config with a key twice', 'INVALID_JSON', but({ name: 'c.json', body: duplicateKey })],
  ['a config without rootfs', 'INVALID_MANIFEST', but({ name: 'c.json', body: json({ architecture: 'amd64', os: 'linux' }) })],
  ['a config whose rootfs is of another kind', 'INVALID_MANIFEST', withConfig({ rootfs: { type: 'base', diff_ids: diffIDs } })],
  ['a diffID that is none', 'INVALID_MANIFEST', withConfig({ rootfs: { type: 'layers', diff_ids: ['sha256:../../etc', diffIDs[1]] } })],
  ['a diffID in upper case', 'INVALID_MANIFEST', withConfig({ rootfs: { type: 'layers', diff_ids: [diffIDs[0]?.toUpperCase(), diffIDs[1]] } })],
  ['a config whose name is another digest', 'DIGEST_MISMATCH', (await crane(one)).map((entry) => (entry.name.startsWith('sha256:') ? { ...entry, body: changedConfig({ author: 'mallory' }) } : entry))],
];

describe.each(ways)('by %s, a docker archive', (way) => {
  it.each(cases)('with %s is refused (%s)', async (_what, code, entries) => {
    await refused(way, tarOf(entries), code);
  });
});
