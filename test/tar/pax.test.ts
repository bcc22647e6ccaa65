import { describe, expect, test } from 'vitest';
import { encodePax, parsePax } from '../../packages/core/src/tar/pax.ts';
import { rawPax } from './raw.ts';
import { failure } from './streams.ts';
import fc from '../support/fast-check.ts';

const keywords = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !/[=\0]/.test(text) && !/\p{Cs}/u.test(text));
const cStrings = ['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name', 'GNU.sparse.offset', 'GNU.sparse.numbytes'];

describe('PAX records', () => {
  test('come back as they were written, whatever bytes they hold', () => {
    const any = fc.uniqueArray(fc.tuple(keywords, fc.uint8Array({ maxLength: 120 })), { selector: ([keyword]) => keyword });
    fc.assert(
      fc.property(any, (pairs) => {
        const records = new Map(pairs.filter(([keyword]) => !cStrings.includes(keyword)));
        expect(new Map(parsePax(encodePax(records)))).toEqual(records);
      }),
    );
  });

  test('count the digits of their own length', () => {
    for (let n = 0; n < 1200; n++) {
      const bytes = encodePax(new Map([['k', new Uint8Array(n).fill(0x61)]]));
      expect(Number(Buffer.from(bytes).toString().split(' ', 1)[0])).toBe(bytes.length);
    }
  });

  test('are written in the order of their keywords, whatever order they came in', () => {
    const one = new Uint8Array(1);
    expect(encodePax(new Map([['b', one], ['a', one]]))).toEqual(encodePax(new Map([['a', one], ['b', one]])));
  });

  test('keep binary values: a security.capability is not text', () => {
    const value = Uint8Array.of(1, 0, 0, 2, 0x80, 0xff, 0x0a, 0x3d, 0);
    expect(parsePax(rawPax({ 'SCHILY.xattr.security.capability': value })).get('SCHILY.xattr.security.capability')).toEqual(value);
  });

  test('a later record replaces an earlier one, but the pieces of a sparse map add up', () => {
    const twice = Buffer.concat([rawPax({ a: '1' }), rawPax({ a: '2' })]);
    expect(Buffer.from(parsePax(twice).get('a') ?? []).toString()).toBe('2');
    const sparse = Buffer.concat(['0', '10', '4096', '20'].map((text, i) => rawPax({ [i % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes']: text })));
    expect(Buffer.from(parsePax(sparse).get('GNU.sparse.map') ?? []).toString()).toBe('0,10,4096,20');
  });

  test.each([
    ['a length that is too great', '99 a=b\n'],
    ['a length that is too small', '3 a=b\n'],
    ['a length of 0', '0 a=b\n'],
    ['a length that ends before the newline', '5 a=b\n'],
    ['a negative length', '-6 a=b\n'],
    ['a length with a sign', '+6 a=b\n'],
    ['no length', ' a=b\n'],
    ['a length of ten digits', '0000000006 a=b\n'],
    ['a length that overflows', '18446744073709551622 a=b\n'],
    ['no equals sign', '6 abcd\n'],
    ['no keyword', '5 =b\n'],
    ['no newline', '6 a=bc'],
    ['NULs after the last record', '6 a=b\n\0\0'],
    ['a NUL in a path', '14 path=a\0bcd\n'],
    ['a NUL in a keyword', '7 a\0=b\n'],
    ['a keyword that is not UTF-8', Uint8Array.of(0x36, 0x20, 0xff, 0x3d, 0x62, 0x0a)],
  ])('are refused for %s', async (_, body) => {
    expect(await failure(() => parsePax(Buffer.from(body), 7000))).toMatchObject({ code: 'INVALID_TAR' });
  });

  test('any bytes give records or INVALID_TAR with an offset inside', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        try {
          parsePax(bytes, 1000);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_TAR' });
          const { offset } = (error as { details: { offset: number } }).details;
          expect(offset).toBeGreaterThanOrEqual(1000);
          expect(offset).toBeLessThan(1000 + bytes.length);
        }
      }),
    );
  });
});
