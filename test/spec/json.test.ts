import { describe, expect, it } from 'vitest';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { parseJson, stableJson, stringifyJson } from '../../packages/core/src/spec/json.ts';
import { defaultLimits } from '../../packages/core/src/spec/limits.ts';
import { failure, json, utf8 } from './support.ts';
import fc from '../support/fast-check.ts';

const parse = (text: string) => parseJson(utf8(text));
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Values that I-JSON allows: whole numbers within 2^53 and whole characters. */
const value = fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }).filter((value) => isPlain(value));

function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  if (typeof value !== 'object' || value === null) return true;
  return Object.values(value).every(isPlain);
}

describe('parseJson', () => {
  it.each([
    ['null', null],
    [' true\n', true],
    ['-0.5e+2', -50],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
    ['0', 0],
    ['1E3', 1000],
    ['"a\\u0041\\n\\/\\"\\\\"', 'aA\n/"\\'],
    ['"\\ud83d\\ude00"', '😀'],
    ['"\u2028é😀"', '\u2028é😀'],
    ['\t[ 1 ,\r\n[] , {} ]', [1, [], {}]],
    ['{"a":{"b":[{"c":null}]},"":1}', { a: { b: [{ c: null }] }, '': 1 }],
  ])('reads %j', (text, expected) => {
    expect(parse(text)).toStrictEqual(expected);
  });

  it('agrees with the engine on every document without duplicates', () => {
    fc.assert(
      fc.property(value, fc.constantFrom(0, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        // Compared as text, as equality looks past a key `__proto__`.
        expect(JSON.stringify(parse(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('accepts no text that the engine refuses', () => {
    const token = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '1', '-', '.', '0', 'e', 'true', 'nul', '\\', '\\u12', ' ', '\n', '\u0001');
    fc.assert(
      fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
        const text = tokens.join('');
        let mine: unknown;
        try {
          mine = parse(text);
        } catch (error) {
          expect(isOciTarError(error, 'INVALID_JSON')).toBe(true);
          return;
        }
        expect(mine).toStrictEqual(JSON.parse(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses of what the engine takes only duplicates, large numbers and unpaired surrogates', () => {
    const mutation = fc.record({ at: fc.nat(), remove: fc.nat(2), insert: fc.string({ unit: fc.constantFrom(...'{}[],:"\\u0d8e-+. \n'), maxLength: 2 }) });
    fc.assert(
      fc.property(value, mutation, (value, { at, remove, insert }) => {
        const text = JSON.stringify(value);
        const start = at % (text.length + 1);
        // Half of a surrogate pair does not survive UTF-8.
        const mutated = decode(utf8(text.slice(0, start) + insert + text.slice(start + remove)));
        let expected: unknown;
        try {
          expected = JSON.parse(mutated);
        } catch {
          expect(failure(() => parse(mutated)).code).toBe('INVALID_JSON');
          return;
        }
        try {
          expect(JSON.stringify(parse(mutated))).toBe(JSON.stringify(expected));
        } catch (error) {
          if (!isOciTarError(error, 'INVALID_JSON')) throw error;
          expect(error.message).toMatch(/twice|2\^53|unpaired/);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('throws nothing but its own errors on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          parseJson(bytes);
        } catch (error) {
          expect(isOciTarError(error)).toBe(true);
        }
      }),
    );
  });

  it.each([
    ['an empty document', '', 0],
    ['trailing data', '{} {}', 3],
    ['a trailing comma in an array', '[1,]', 3],
    ['a trailing comma in an object', '{"a":1,}', 7],
    ['a missing colon', '{"a" 1}', 5],
    ['a bare key', '{a:1}', 1],
    ['a document that ends early', '{"a":[1', 7],
    ['a string that ends early', '["ab', 4],
    ['a raw control character', '["a\u0001"]', 3],
    ['an unknown escape', '["\\x41"]', 2],
    ['a short escape', '["\\u12"]', 2],
    ['a high surrogate alone', '["\\ud83d"]', 2],
    ['a low surrogate alone', '["\\ude00"]', 2],
    ['a high surrogate before another character', '["\\ud83d\\u0041"]', 2],
    ['a leading zero', '[01]', 1],
    ['a leading plus', '[+1]', 1],
    ['a point without digits', '[1.]', 1],
    ['an exponent without digits', '[1e]', 1],
    ['NaN', '[NaN]', 1],
    ['single quotes', "['a']", 1],
    ['a comment', '[1] // x', 4],
    ['a space that JSON does not know', '\u00a0[]', 0],
  ])('refuses %s and tells its offset', (_, text, offset) => {
    const error = failure(() => parse(text));
    expect(error.code).toBe('INVALID_JSON');
    expect(error.details.offset).toBe(offset);
  });

  it('counts offsets in bytes, not characters', () => {
    expect(failure(() => parse('["é😀",x]')).details.offset).toBe(10);
  });

  it('names the document and the place', () => {
    const error = failure(() => parseJson(utf8('{"manifests":[{},{"a b":{"c":x}}]}'), { subject: 'index.json' }));
    expect(error.message).toContain('index.json');
    expect(error.message).toContain('manifests[1]["a b"].c');
    expect(error.details.subject).toBe('index.json');
  });

  it.each([
    ['{"a":1,"b":2,"a":3}', 'the document', 13],
    ['{"m":[{"a":1,"\\u0061":2}]}', 'm[0]', 13],
    ['{"__proto__":1,"__proto__":2}', 'the document', 15],
    ['{"":1,"":2}', 'the document', 6],
  ])('refuses a key that comes twice: %s', (text, place, offset) => {
    const error = failure(() => parse(text));
    expect(error).toMatchObject({ code: 'INVALID_JSON', details: { offset } });
    expect(error.message).toContain(`twice in ${place}`);
  });

  it('takes the same key in different objects', () => {
    expect(parse('{"a":{"a":1},"b":{"a":2}}')).toEqual({ a: { a: 1 }, b: { a: 2 } });
  });

  it.each(['9007199254740992', '9007199254740993', '-9007199254740992', '1e16', '1e400', '123456789012345678901234567890'])(
    'refuses the number %s, which readers would round',
    (number) => {
      expect(failure(() => parse(`{"size":${number}}`))).toMatchObject({ code: 'INVALID_JSON', details: { offset: 8 } });
    },
  );

  it('makes a key __proto__ a plain property', () => {
    const parsed = parse('{"__proto__":{"polluted":true},"constructor":1}');
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(Object.keys(parsed ?? {})).toEqual(['__proto__', 'constructor']);
    expect(Reflect.has({}, 'polluted')).toBe(false);
    expect(JSON.stringify(parsed)).toBe('{"__proto__":{"polluted":true},"constructor":1}');
  });

  it('refuses a byte order mark', () => {
    expect(failure(() => parse('\ufeff{}'))).toMatchObject({ code: 'INVALID_JSON', details: { offset: 0 } });
  });

  it.each([
    ['a lone continuation', [0x22, 0x61, 0x80, 0x22], 2],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22], 1],
    ['a surrogate in UTF-8, by its second byte', [0x22, 0xed, 0xa0, 0x80, 0x22], 2],
    ['a character cut at the end', [0x22, 0xe2, 0x82], 3],
  ])('refuses %s as not UTF-8', (_, bytes, offset) => {
    const error = failure(() => parseJson(Uint8Array.from(bytes)));
    expect(error.code).toBe('INVALID_JSON');
    expect(error.message).toContain('UTF-8');
    expect(error.details.offset).toBe(offset);
  });

  it('holds documents to the limit of nesting', () => {
    const nested = (depth: number) => utf8('['.repeat(depth) + ']'.repeat(depth));
    const mixed = (depth: number) => utf8('{"a":['.repeat(depth / 2) + ']}'.repeat(depth / 2));
    expect(() => parseJson(nested(defaultLimits.depth))).not.toThrow();
    expect(() => parseJson(mixed(16))).not.toThrow();
    expect(failure(() => parseJson(nested(17)))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 16, offset: 16 } });
    expect(failure(() => parseJson(mixed(18)))).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 16 } });
    expect(() => parseJson(nested(40), { limits: { ...defaultLimits, depth: 40 } })).not.toThrow();
    expect(() => parseJson(utf8(`[${'[],'.repeat(100)}[]]`))).not.toThrow();
  });

  it('survives a million brackets under any limit', () => {
    const error = failure(() => parseJson(utf8('['.repeat(1e6)), { limits: { ...defaultLimits, depth: 1e9 } }));
    expect(error).toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 1000 } });
  });

  it('holds documents to the limit of size before looking at them', () => {
    expect(failure(() => parseJson(new Uint8Array(defaultLimits.bytes + 1)))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      details: { limit: 4 * 1024 * 1024 },
    });
    expect(parseJson(utf8('[10]'), { limits: { bytes: 4, depth: 1 } })).toEqual([10]);
    expect(failure(() => parseJson(utf8('[100]'), { limits: { bytes: 4, depth: 1 } })).code).toBe('LIMIT_EXCEEDED');
  });
});

describe('stringifyJson', () => {
  it('keeps the order of keys and adds no spaces', () => {
    expect(decode(stringifyJson({ b: 1, a: ['é', null] }))).toBe('{"b":1,"a":["é",null]}');
  });

  it('leads back through parseJson', () => {
    fc.assert(
      fc.property(value, (value) => {
        expect(decode(stringifyJson(parseJson(stringifyJson(value))))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('refuses what JSON cannot say', () => {
    expect(failure(() => stringifyJson(undefined)).code).toBe('INVALID_ARGUMENT');
    expect(failure(() => stableJson(undefined)).code).toBe('INVALID_ARGUMENT');
  });
});

describe('stableJson', () => {
  it('sorts keys by their UTF-16 units, also those that look like numbers', () => {
    expect(decode(stableJson({ b: 1, 9: 2, 10: 3, '😀': 4, '\ufb33': 5, a: { d: 1, c: undefined } }))).toBe(
      '{"10":3,"9":2,"a":{"d":1},"b":1,"😀":4,"\ufb33":5}',
    );
  });

  it('gives equal bytes for equal values in any order of their keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), (object) => {
        const turned = Object.fromEntries(Object.entries(object).toReversed());
        expect(decode(stableJson(turned))).toBe(decode(stableJson(object)));
      }),
    );
  });

  it('says the same as the value', () => {
    fc.assert(
      fc.property(value, (value) => {
        expect(parseJson(stableJson(value))).toEqual(parseJson(json(value)));
      }),
    );
  });
});
