import { describe, expect, it } from 'vitest';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { embeddedData, parseDescriptor, sameContent } from '../../packages/core/src/spec/descriptor.ts';
import { emptyDescriptor } from '../../packages/core/src/spec/media-type.ts';
import { parseJson } from '../../packages/core/src/spec/json.ts';
import { digestA, digestB, failure, utf8 } from './support.ts';
import fc from '../support/fast-check.ts';

const base = { mediaType: 'text/plain', digest: digestA, size: 3 };

describe('parseDescriptor', () => {
  it('takes all fields of the image-spec', () => {
    const full = {
      ...base,
      urls: ['https://example.com/x'],
      annotations: { a: '', 'b c': 'd' },
      data: 'YWJj',
      platform: { architecture: 'arm', os: 'linux', variant: 'v7', 'os.version': '1', 'os.features': ['x'], features: ['y'] },
      artifactType: 'application/vnd.example',
    };
    expect(parseDescriptor(full, 'x')).toEqual(full);
    expect(parseDescriptor(emptyDescriptor, 'x')).toEqual(emptyDescriptor);
  });

  it('lets unknown fields survive, at each level', () => {
    const value = { ...base, extra: { deep: [1] }, platform: { architecture: 'a', os: 'b', more: null } };
    expect(parseDescriptor(value, 'x')).toEqual(value);
  });

  it('takes null for an absent optional field', () => {
    expect(parseDescriptor({ ...base, annotations: null, urls: null, platform: null, data: null }, 'x')).toStrictEqual(base);
  });

  it('keeps annotations whose keys are special to JavaScript', () => {
    const value = parseJson(utf8(`{"mediaType":"a/b","digest":"${digestA}","size":0,"annotations":{"constructor":"1","__proto__":"2","toString":"3"}}`));
    const { annotations = {} } = parseDescriptor(value, 'x');
    expect(Object.entries(annotations)).toEqual([
      ['constructor', '1'],
      ['__proto__', '2'],
      ['toString', '3'],
    ]);
  });

  it('takes digests of unknown algorithms and media types with parameters', () => {
    const value = { mediaType: 'text/plain; charset=utf-8', digest: 'md6:abc', size: 0 };
    expect(parseDescriptor(value, 'x')).toEqual(value);
  });

  it('takes sizes up to 2^53 - 1', () => {
    expect(parseDescriptor({ ...base, size: Number.MAX_SAFE_INTEGER }, 'x').size).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([
    ['mediaType', undefined],
    ['mediaType', ''],
    ['mediaType', 'plain'],
    ['mediaType', 'text/plain\n'],
    ['mediaType', 'text/../../x'],
    ['digest', undefined],
    ['digest', 5],
    ['digest', 'sha256:abc'],
    ['digest', 'x:../../etc'],
    ['size', undefined],
    ['size', null],
    ['size', -1],
    ['size', 1.5],
    ['size', '3'],
    ['size', 2 ** 53],
    ['size', Infinity],
    ['urls', 'https://example.com'],
    ['urls', [1]],
    ['annotations', { a: 1 }],
    ['annotations', ['a']],
    ['annotations', 'a'],
    ['data', 3],
    ['data', 'YWJ'],
    ['data', 'YWJj\n'],
    ['data', 'YW=j'],
    ['data', '===='],
    ['platform', {}],
    ['platform', { architecture: 'a' }],
    ['platform', []],
    ['artifactType', 1],
  ])('refuses the %s %j', (field, value) => {
    const { [field]: _, ...others } = { ...base } as Record<string, unknown>;
    const error = failure(() => parseDescriptor(value === undefined ? others : { ...others, [field]: value }, 'index.json'));
    expect(error.code).toBe('INVALID_MANIFEST');
    expect(error.message).toContain(`index.json: ${field}`);
  });

  it.each([[null], [undefined], ['x'], [5], [[]], [[base]]])('refuses %j', (value) => {
    expect(failure(() => parseDescriptor(value, 'x')).code).toBe('INVALID_MANIFEST');
  });

  it('says which field is missing', () => {
    expect(failure(() => parseDescriptor({ digest: digestA, size: 1 }, 'x')).message).toBe('x: mediaType is missing');
  });

  it('refuses data of another length than the size', () => {
    expect(failure(() => parseDescriptor({ ...base, data: 'YWI=' }, 'x')).message).toContain('data of 2 bytes but says 3');
    expect(failure(() => parseDescriptor({ ...base, size: 0, data: 'YWJj' }, 'x')).code).toBe('INVALID_MANIFEST');
  });

  it('takes data of any length that is as long as the size says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const data = btoa(String.fromCharCode(...bytes));
        const descriptor = parseDescriptor({ ...base, size: bytes.length, data }, 'x');
        expect(embeddedData(descriptor)).toEqual(bytes);
      }),
    );
  });

  it('copes with data as long as a document may be', () => {
    const data = 'A'.repeat(4 * 1024 * 1024);
    expect(parseDescriptor({ ...base, size: 3 * 1024 * 1024, data }, 'x').size).toBe(3 * 1024 * 1024);
  });

  it('throws nothing but its own errors on any value', () => {
    const field = fc.oneof(fc.anything(), fc.constantFrom('mediaType', digestA, 3, 'text/plain'));
    const value = fc.oneof(fc.anything(), fc.record({ mediaType: field, digest: field, size: field, data: field, platform: field }, { requiredKeys: [] }));
    fc.assert(
      fc.property(value, (value) => {
        try {
          parseDescriptor(value, 'x');
        } catch (error) {
          if (!isOciTarError(error, 'INVALID_MANIFEST')) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('sameContent', () => {
  it('looks at digest and size alone', () => {
    expect(sameContent(base, { ...base, mediaType: 'text/html' })).toBe(true);
    expect(sameContent(base, { ...base, size: 4 })).toBe(false);
    expect(sameContent(base, { ...base, digest: digestB })).toBe(false);
  });
});

describe('embeddedData', () => {
  it('is undefined where there is none, and empty where it is empty', () => {
    expect(embeddedData(base)).toBeUndefined();
    expect(embeddedData({ ...base, size: 0, data: '' })).toEqual(new Uint8Array(0));
  });
});
