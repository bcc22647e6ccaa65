import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { childrenOf, isDocumentType, parseDocument } from '../../packages/core/src/spec/document.ts';
import { parseIndex } from '../../packages/core/src/spec/image-index.ts';
import { parseManifest } from '../../packages/core/src/spec/manifest.ts';
import { mediaTypes } from '../../packages/core/src/spec/media-type.ts';
import { digestA, digestB, failure, json, utf8 } from './support.ts';

const blob = (mediaType: string, digest: string = digestA) => ({ mediaType, digest, size: 10 });
const config = blob(mediaTypes.config, digestB);
const layer = blob(mediaTypes.layerGzip);
const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [blob(mediaTypes.manifest), blob(mediaTypes.index), blob('text/plain')] };
const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer, layer] };

describe('parseIndex', () => {
  it.each([
    ['an OCI index', index],
    ['one without a media type', { schemaVersion: 2, manifests: [] }],
    ['a manifest list', { ...index, mediaType: mediaTypes.dockerIndex }],
    ['all optional fields', { ...index, artifactType: 'a/b', subject: layer, annotations: { a: 'b' } }],
    ['unknown fields', { ...index, extra: [1], manifests: [{ ...layer, extra: 1 }] }],
  ])('takes %s', (_, value) => {
    expect(parseIndex(json(value))).toEqual(value);
  });

  it.each([
    ['no schemaVersion', { manifests: [] }, 'schemaVersion is missing'],
    ['another schemaVersion', { schemaVersion: 3, manifests: [] }, 'schemaVersion must be 2'],
    ['no manifests', { schemaVersion: 2 }, 'manifests is missing'],
    ['null for manifests', { schemaVersion: 2, manifests: null }, 'manifests must be an array'],
    ['an object for manifests', { schemaVersion: 2, manifests: {} }, 'manifests must be an array'],
    ['a broken child', { ...index, manifests: [layer, { ...layer, size: -1 }] }, 'manifests[1].size must be'],
    ['a broken subject', { ...index, subject: {} }, 'subject.mediaType is missing'],
    ['the type of a manifest', { ...index, mediaType: mediaTypes.manifest }, 'which is not an index'],
    ['a type that is no text', { ...index, mediaType: 5 }, 'mediaType must be a string'],
    ['annotations that are no text', { ...index, annotations: { a: 1 } }, 'annotations must be'],
    ['an array', [], 'not a JSON object'],
    ['a text', 'index', 'not a JSON object'],
  ])('refuses %s', (_, value, message) => {
    const error = failure(() => parseIndex(json(value), { subject: 'index.json' }));
    expect(error.code).toBe('INVALID_MANIFEST');
    expect(error.message).toContain(message);
    expect(error.message).toContain('index.json');
  });

  it.each(['config', 'layers', 'fsLayers', 'history', 'Config', 'LAYERS'])('refuses one that also has %s', (field) => {
    expect(failure(() => parseIndex(json({ ...index, [field]: null }))).message).toContain('ambiguous');
  });
});

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

describe('an expected media type', () => {
  it('must be what the document says of itself', () => {
    expect(failure(() => parseIndex(json(index), { mediaType: mediaTypes.dockerIndex }))).toMatchObject({
      code: 'INVALID_MANIFEST',
      details: { expected: mediaTypes.dockerIndex, actual: mediaTypes.index },
    });
    expect(failure(() => parseManifest(json(manifest), { mediaType: mediaTypes.dockerManifest })).code).toBe('INVALID_MANIFEST');
    expect(parseIndex(json(index), { mediaType: mediaTypes.index })).toEqual(index);
  });

  it('stands for a document that says nothing', () => {
    const bare = { schemaVersion: 2, manifests: [] };
    expect(parseIndex(json(bare), { mediaType: mediaTypes.dockerIndex })).toEqual(bare);
  });

  it('must be of the kind that is parsed', () => {
    expect(failure(() => parseIndex(json({ schemaVersion: 2, manifests: [] }), { mediaType: mediaTypes.manifest })).code).toBe('INVALID_MANIFEST');
  });
});

describe('parseDocument', () => {
  it('goes by the media type', () => {
    expect(parseDocument(json(index), mediaTypes.index)).toEqual({ kind: 'index', index });
    expect(parseDocument(json(manifest), blob(mediaTypes.manifest) as never)).toEqual({ kind: 'manifest', manifest });
  });

  it('leaves other types alone, whatever their bytes', () => {
    expect(parseDocument(utf8('{'), 'application/vnd.example+json')).toBeUndefined();
    expect(isDocumentType(mediaTypes.config)).toBe(false);
  });

  it('does not let a manifest pass for an index', () => {
    expect(failure(() => parseDocument(json(manifest), mediaTypes.index)).code).toBe('INVALID_MANIFEST');
    expect(failure(() => parseDocument(json(index), mediaTypes.manifest)).code).toBe('INVALID_MANIFEST');
  });

  it('refuses schema 1 by its media type', () => {
    expect(failure(() => parseDocument(utf8('{}'), mediaTypes.dockerSchema1Signed)).code).toBe('UNSUPPORTED');
  });

  it('names the digest where it has no other name', () => {
    const error = failure(() => parseDocument(utf8('{"a":1,"a":2}'), { mediaType: mediaTypes.index, digest: digestA, size: 13 }));
    expect(error.code).toBe('INVALID_JSON');
    expect(error.details.subject).toBe(digestA);
  });

  it('passes limits on', () => {
    expect(failure(() => parseDocument(json(index), mediaTypes.index, { limits: { bytes: 10, depth: 16 } })).code).toBe('LIMIT_EXCEEDED');
  });

  it('throws nothing but its own errors on any document', () => {
    const descriptor = fc.record({ mediaType: fc.oneof(fc.string(), fc.constant('a/b')), digest: fc.constantFrom(digestA, 'x', ''), size: fc.oneof(fc.nat(), fc.double()) });
    const document = fc.record(
      {
        schemaVersion: fc.constantFrom(1, 2, '2'),
        mediaType: fc.constantFrom(...Object.values(mediaTypes), null),
        manifests: fc.oneof(fc.jsonValue(), fc.array(descriptor)),
        config: fc.oneof(fc.jsonValue(), descriptor),
        layers: fc.oneof(fc.jsonValue(), fc.array(descriptor)),
        annotations: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(document, fc.constantFrom(...Object.values(mediaTypes)), (document, mediaType) => {
        try {
          parseDocument(json(document), mediaType);
        } catch (error) {
          if (!isOciTarError(error)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('childrenOf', () => {
  it('lists a config before its layers', () => {
    const document = parseDocument(json(manifest), mediaTypes.manifest);
    expect(document && childrenOf(document)).toEqual([config, layer, layer]);
  });

  it('lists the manifests of an index in their order', () => {
    const document = parseDocument(json(index), mediaTypes.index);
    expect(document && childrenOf(document)).toEqual(index.manifests);
  });
});
