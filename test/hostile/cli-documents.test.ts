import { digestBytes, mediaTypes, stringifyJson } from '@oci-tar/core';
import type { ErrorCode } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { json, tarOf } from '../layout/docker-archives.ts';
import { asItem, but, changedConfig, diffIDs, item, manifest, one, withConfig } from '../layout/docker-bad-samples.ts';
import { archive, blobEntry, imagePieces, indexEntry, named, text } from './archives.ts';
import type { Changes, Pieces } from './archives.ts';
import { ways } from './attempt.ts';
import { refusedByCli } from './by-cli.ts';

const sound = await imagePieces();
const other = `sha256:${'0'.repeat(64)}`;

/** An archive with changes of its documents, which otherwise fit. */
const oci = async (changes: Changes) => archive(await imagePieces(changes));

/** The sound archive with one document spelled otherwise; what refers to it follows. */
async function spelled(piece: 'config' | 'manifest' | 'index', change: (json: string) => string): Promise<Uint8Array> {
  const pieces: Pieces = { ...sound };
  const spell = (body: Uint8Array) => text(change(new TextDecoder().decode(body)));
  if (piece === 'index') return archive({ ...pieces, index: { ...pieces.index, body: spell(pieces.index.body) } });
  if (piece === 'config') {
    const config = await blobEntry(spell(pieces.config.body));
    const { manifest: above, index } = await imagePieces({ config: { digest: await digestBytes(config.body), size: config.body.length } });
    return archive({ ...pieces, config, manifest: above, index });
  }
  const changed = await blobEntry(spell(pieces.manifest.body));
  const index = indexEntry([named({ mediaType: mediaTypes.manifest, digest: await digestBytes(changed.body), size: changed.body.length })]);
  return archive({ ...pieces, manifest: changed, index });
}

/** The first size of the manifest is that of its config. */
const sized = (size: string) => (body: string) => body.replace(/"size":\d+/, `"size":${size}`);
const twice = (body: string) => body.replace(/"(\w+)":("[^"]*"|\d+)/, '"$1":$2,"$1":$2');
const deep = (body: string) => body.replace('{', `{"x":${'['.repeat(5000)}${']'.repeat(5000)},`);
const long = (body: string) => body.replace('{', `{"x":"${'x'.repeat(4 << 20)}",`);

/** An index that has the whole image, and an image's fields as well. */
async function indexOf(fields: object): Promise<Uint8Array> {
  const child = { mediaType: mediaTypes.manifest, digest: await digestBytes(sound.manifest.body), size: sound.manifest.body.length };
  const body = stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [child], ...fields });
  const entry = await blobEntry(body);
  return archive({ ...sound, index: indexEntry([named({ mediaType: mediaTypes.index, digest: await digestBytes(body), size: body.length })]) }, entry);
}

const child = { mediaType: mediaTypes.config, digest: other, size: 2 };
const docker = (change: object) => tarOf(withConfig(change));
const dockerSpelled = (change: (json: string) => string) => tarOf(but({ name: 'c.json', body: text(change(new TextDecoder().decode(one.config))) }));
const itemSpelled = (change: (json: string) => string) => tarOf(but(manifest(text(change(new TextDecoder().decode(json([item])))))));

type Case = readonly [what: string, code: ErrorCode, bytes: Uint8Array];

/** What a document of an archive may say wrongly, by the classes of it; `docker` are archives of docker's own format. */
const classes: Readonly<Record<string, readonly Case[]>> = {
  'a size that is negative': [
    ['of a layer', 'INVALID_MANIFEST', await oci({ layer: { size: -1 } })],
    ['of a manifest', 'INVALID_MANIFEST', await oci({ manifest: { size: -1 } })],
  ],
  'a size that is NaN': [
    ['in a manifest', 'INVALID_JSON', await spelled('manifest', sized('NaN'))],
    ['in index.json', 'INVALID_JSON', await spelled('index', sized('NaN'))],
    ["in docker's config", 'INVALID_JSON', dockerSpelled((body) => body.replace('{', '{"Size":NaN,'))],
  ],
  'a size beyond 2^53': [
    ['in a manifest', 'INVALID_JSON', await spelled('manifest', sized('9007199254740993'))],
    ['in a manifest, as 1e300', 'INVALID_JSON', await spelled('manifest', sized('1e300'))],
    ['in index.json', 'INVALID_JSON', await spelled('index', sized('18446744073709551616'))],
    ["in docker's config", 'INVALID_JSON', dockerSpelled((body) => body.replace('{', '{"Size":9007199254740993,'))],
  ],
  'a size that is wrong': [
    ['of a layer', 'SIZE_MISMATCH', await oci({ layer: { size: 2047 } })],
    ['of a config', 'SIZE_MISMATCH', await oci({ config: { size: 7 } })],
    ['of a manifest', 'SIZE_MISMATCH', await oci({ manifest: { size: 7 } })],
    ['of a layer, as a text', 'INVALID_MANIFEST', await oci({ layer: { size: '2048' as never } })],
  ],
  'a digest that leads elsewhere': [
    ['of a layer', 'INVALID_MANIFEST', await oci({ layer: { digest: 'sha256:../../etc' } })],
    ['of a manifest', 'INVALID_MANIFEST', await oci({ manifest: { digest: 'sha256:../../etc' } })],
    ['as a diffID', 'INVALID_MANIFEST', await oci({ diffIDs: ['sha256:../../etc'] })],
    ["as a diffID of docker's", 'INVALID_MANIFEST', docker({ rootfs: { type: 'layers', diff_ids: ['sha256:../../etc', diffIDs[1]] } })],
  ],
  'a digest in upper case': [
    ['of a layer', 'INVALID_MANIFEST', await oci({ layer: { digest: `sha256:${'A'.repeat(64)}` } })],
    ['of a manifest', 'INVALID_MANIFEST', await oci({ manifest: { digest: `sha256:${'A'.repeat(64)}` } })],
    ["as a diffID of docker's", 'INVALID_MANIFEST', docker({ rootfs: { type: 'layers', diff_ids: [`sha256:${'A'.repeat(64)}`, diffIDs[1]] } })],
  ],
  'a digest that is too short': [
    ['of a layer', 'INVALID_MANIFEST', await oci({ layer: { digest: 'sha256:abc' } })],
    ['of a config', 'INVALID_MANIFEST', await oci({ config: { digest: `sha256:${'a'.repeat(63)}` } })],
    ["as a diffID of docker's", 'INVALID_MANIFEST', docker({ rootfs: { type: 'layers', diff_ids: ['sha256:abc', diffIDs[1]] } })],
  ],
  'a key that is there twice': [
    ['in index.json', 'INVALID_JSON', await spelled('index', twice)],
    ['in a manifest', 'INVALID_JSON', await spelled('manifest', twice)],
    ['in a config', 'INVALID_JSON', await spelled('config', twice)],
    ["in docker's manifest.json", 'INVALID_JSON', itemSpelled(twice)],
    ["in docker's config", 'INVALID_JSON', dockerSpelled(twice)],
  ],
  'nesting that is too deep': [
    ['in index.json', 'LIMIT_EXCEEDED', await spelled('index', deep)],
    ['in a manifest', 'LIMIT_EXCEEDED', await spelled('manifest', deep)],
    ['in a config', 'LIMIT_EXCEEDED', await spelled('config', deep)],
    ["in docker's manifest.json", 'LIMIT_EXCEEDED', itemSpelled(deep)],
    ["in docker's config", 'LIMIT_EXCEEDED', dockerSpelled(deep)],
  ],
  'metadata over the limit': [
    ['in index.json', 'LIMIT_EXCEEDED', await spelled('index', long)],
    ['in a manifest', 'LIMIT_EXCEEDED', await spelled('manifest', long)],
    ['in a config', 'LIMIT_EXCEEDED', await spelled('config', long)],
    ["in docker's manifest.json", 'LIMIT_EXCEEDED', itemSpelled(long)],
    ["in docker's config", 'LIMIT_EXCEEDED', dockerSpelled(long)],
  ],
  'two types at once (CVE-2021-41190)': [
    ['a manifest that has manifests', 'INVALID_MANIFEST', await oci({ manifestFields: { manifests: [child] } })],
    ['a manifest that has fsLayers', 'INVALID_MANIFEST', await oci({ manifestFields: { fsLayers: [] } })],
    ['an index that has layers', 'INVALID_MANIFEST', await indexOf({ layers: [child] })],
    ['an index that has a config', 'INVALID_MANIFEST', await indexOf({ config: child })],
    ['an index.json that has layers', 'INVALID_MANIFEST', await spelled('index', (body) => body.replace('{', '{"layers":[],'))],
    ['a manifest that calls itself an index', 'INVALID_MANIFEST', await oci({ manifestFields: { mediaType: mediaTypes.index } })],
    ['an index that calls itself a manifest', 'INVALID_MANIFEST', await indexOf({ mediaType: mediaTypes.manifest })],
    ['a manifest that is listed as an index', 'INVALID_MANIFEST', await oci({ manifest: { mediaType: mediaTypes.index } })],
    ["docker's manifest.json that is a manifest of OCI", 'INVALID_MANIFEST', tarOf(but(manifest({ schemaVersion: 2, config: child, layers: [] })))],
  ],
  'diffIDs that do not match the layers in number': [
    ['too few', 'INVALID_MANIFEST', await oci({ diffIDs: [] })],
    ['too many', 'INVALID_MANIFEST', await oci({ diffIDs: [other, other] })],
    ["too few of docker's layers", 'INVALID_MANIFEST', tarOf(asItem({ Layers: ['lower.tar'] }))],
    ["too many of docker's layers", 'INVALID_MANIFEST', tarOf(asItem({ Layers: ['lower.tar', 'upper.tar', 'upper.tar'] }))],
  ],
  'diffIDs that do not match the layers in content': [
    ['of a plain layer', 'DIGEST_MISMATCH', await oci({ diffIDs: [other] })],
    ['of an algorithm that cannot be checked', 'UNSUPPORTED', await oci({ diffIDs: ['sha3:abc'] })],
    ["of docker's layers", 'DIGEST_MISMATCH', tarOf(asItem({ Layers: ['upper.tar', 'lower.tar'] }))],
    ["of docker's config", 'DIGEST_MISMATCH', tarOf(but({ name: 'c.json', body: changedConfig({ rootfs: { type: 'layers', diff_ids: [other, diffIDs[1]] } }) }))],
  ],
};

describe.each(Object.entries(classes))('%s', (_class, cases) => {
  describe.each(ways)('is refused by oci-tar import, by %s', (way) => {
    it.each(cases)('%s (%s)', async (_what, code, bytes) => {
      expect((await refusedByCli(way, bytes, code)).message).not.toBe('');
    });
  });
});
