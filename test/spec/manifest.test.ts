import { describe, expect, it } from 'vitest';
import { parseManifest } from '../../packages/core/src/spec/manifest.ts';
import { mediaTypes } from '../../packages/core/src/spec/media-type.ts';
import { blob, config, layer, manifest } from './samples.ts';
import { failure, json } from './support.ts';

describe('parseManifest', () => {
  it.each([
    ['an OCI manifest', manifest],
    ['one without a media type', { schemaVersion: 2, config, layers: [] }],
    ['one of docker', { ...manifest, mediaType: mediaTypes.dockerManifest }],
    ['an artifact', { ...manifest, config: blob(mediaTypes.empty), artifactType: 'a/b', subject: config, annotations: {} }],
    ['unknown fields', { ...manifest, extra: { a: null } }],
  ])('takes %s', (_, value) => {
    expect(parseManifest(json(value))).toEqual(value);
  });

  it.each([
    ['no config', { schemaVersion: 2, layers: [] }, 'config is missing'],
    ['no layers', { schemaVersion: 2, config }, 'layers is missing'],
    ['null for layers', { schemaVersion: 2, config, layers: null }, 'layers must be an array'],
    ['a broken layer', { ...manifest, layers: [{ ...layer, digest: 'x' }] }, 'layers[0].digest is not a digest'],
    ['the type of an index', { ...manifest, mediaType: mediaTypes.index }, 'not a manifest'],
  ])('refuses %s', (_, value, message) => {
    const error = failure(() => parseManifest(json(value)));
    expect(error.code).toBe('INVALID_MANIFEST');
    expect(error.message).toContain(message);
  });

  it.each(['manifests', 'fsLayers', 'Manifests', 'fslayers'])('refuses one that also has %s', (field) => {
    expect(failure(() => parseManifest(json({ ...manifest, [field]: [] }))).message).toContain('ambiguous');
  });

  it('refuses schema 1 by its name', () => {
    const schema1 = { schemaVersion: 1, name: 'x', tag: '1', fsLayers: [], history: [] };
    for (const value of [schema1, { ...schema1, mediaType: mediaTypes.dockerSchema1Signed }, { ...schema1, schemaVersion: 2, mediaType: mediaTypes.dockerSchema1 }]) {
      const error = failure(() => parseManifest(json(value)));
      expect(error.code).toBe('UNSUPPORTED');
      expect(error.message).toContain('schema 1');
      expect(error.hint).toBeDefined();
    }
  });
});

describe('the expected media type of a manifest', () => {
  it('must be what the document says of itself', () => {
    expect(failure(() => parseManifest(json(manifest), { mediaType: mediaTypes.dockerManifest })).code).toBe('INVALID_MANIFEST');
    expect(parseManifest(json(manifest), { mediaType: mediaTypes.manifest })).toEqual(manifest);
  });

  it('may be the one of schema 1 only to be refused by name', () => {
    expect(failure(() => parseManifest(json({}), { mediaType: mediaTypes.dockerSchema1Signed })).code).toBe('UNSUPPORTED');
  });
});
