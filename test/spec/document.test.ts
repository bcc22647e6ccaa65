import { describe, expect, it } from 'vitest';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { childrenOf, isDocumentType, parseDocument } from '../../packages/core/src/spec/document.ts';
import { mediaTypes } from '../../packages/core/src/spec/media-type.ts';
import { blob, config, index, layer, manifest } from './samples.ts';
import { digestA, failure, json, utf8 } from './support.ts';
import fc from '../support/fast-check.ts';

describe('parseDocument', () => {
  it('goes by the media type', () => {
    expect(parseDocument(json(index), mediaTypes.index)).toEqual({ kind: 'index', index });
    expect(parseDocument(json(manifest), blob(mediaTypes.manifest))).toEqual({ kind: 'manifest', manifest });
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
