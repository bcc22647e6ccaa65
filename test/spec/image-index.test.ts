import { describe, expect, it } from 'vitest';
import { parseIndex } from '../../packages/core/src/spec/image-index.ts';
import { mediaTypes } from '../../packages/core/src/spec/media-type.ts';
import { index, layer } from './samples.ts';
import { failure, json } from './support.ts';

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

describe('the expected media type of an index', () => {
  it('must be what the document says of itself', () => {
    expect(failure(() => parseIndex(json(index), { mediaType: mediaTypes.dockerIndex }))).toMatchObject({
      code: 'INVALID_MANIFEST',
      details: { expected: mediaTypes.dockerIndex, actual: mediaTypes.index },
    });
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
