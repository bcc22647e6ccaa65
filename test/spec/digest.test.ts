import { describe, expect, it } from 'vitest';
import {
  blobPath,
  digestOfBlobPath,
  digestParts,
  formatDigest,
  hashAlgorithm,
  isComputable,
  isDigest,
  parseDigest,
  shortDigest,
} from '../../packages/core/src/spec/digest.ts';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { failure } from './support.ts';
import fc from '../support/fast-check.ts';

const hex = (length: number) => fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const sha256 = `sha256:${'a1'.repeat(32)}` as const;

describe('parseDigest', () => {
  it.each([
    ['sha256 with 64 digits', sha256],
    ['sha512 with 128 digits', `sha512:${'0f'.repeat(64)}`],
    ['blake3 with 64 digits', `blake3:${'0f'.repeat(32)}`],
    ['an unknown algorithm', 'multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8'],
    ['all separators and signs of the grammar', 'a+b.c_d-e:Zz09=_-'],
  ])('takes %s', (_, text) => {
    expect(parseDigest(text)).toBe(text);
    expect(isDigest(text)).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['no colon', 'a1'.repeat(32)],
    ['nothing before the colon', ':abc'],
    ['nothing after the colon', 'sha256:'],
    ['a second colon', 'md6:ab:cd'],
    ['63 digits', `sha256:${'a'.repeat(63)}`],
    ['65 digits', `sha256:${'a'.repeat(65)}`],
    ['sha512 with the length of sha256', `sha512:${'a'.repeat(64)}`],
    ['upper-case hex', `sha256:${'A1'.repeat(32)}`],
    ['letters beyond hex', `sha256:${'g'.repeat(64)}`],
    ['an upper-case algorithm', `SHA256:${'a'.repeat(64)}`],
    ['two separators in a row', 'a+.b:c'],
    ['a slash', 'x:../../etc/passwd'],
    ['a trailing newline', `${sha256}\n`],
    ['more than 255 characters', `x:${'a'.repeat(254)}`],
  ])('refuses %s', (_, text) => {
    expect(failure(() => parseDigest(text)).code).toBe('INVALID_DIGEST');
    expect(isDigest(text)).toBe(false);
  });

  it('says what is wrong with the digits', () => {
    expect(failure(() => parseDigest('sha256:abc')).message).toContain('takes 64 digits, not 3');
  });

  it('does not repeat a huge text in its message', () => {
    expect(failure(() => parseDigest('x'.repeat(1e6))).message.length).toBeLessThan(300);
  });

  it('throws nothing else, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          return parseDigest(text) === text;
        } catch (error) {
          return isOciTarError(error, 'INVALID_DIGEST');
        }
      }),
    );
  });
});

describe('the parts of a digest', () => {
  it('are put together by formatDigest and taken apart by digestParts', () => {
    fc.assert(
      fc.property(hex(64), (encoded) => {
        expect(digestParts(formatDigest('sha256', encoded))).toEqual({ algorithm: 'sha256', encoded });
      }),
    );
  });

  it('must fit the algorithm', () => {
    expect(failure(() => formatDigest('sha512', 'ab'.repeat(32))).code).toBe('INVALID_DIGEST');
  });

  it('tell whether the digest can be computed', () => {
    expect(isComputable(sha256)).toBe(true);
    expect(hashAlgorithm(parseDigest(`blake3:${'0'.repeat(64)}`))).toBe('blake3');
    expect(isComputable(parseDigest('md5:abc'))).toBe(false);
    // A name that every object has must not pass for an algorithm.
    expect(hashAlgorithm(parseDigest('constructor:abc'))).toBeUndefined();
  });

  it('are shortened to 12 digits for people', () => {
    expect(shortDigest(sha256)).toBe('a1a1a1a1a1a1');
  });
});

describe('the path of a blob', () => {
  it('is blobs/<algorithm>/<encoded>', () => {
    expect(blobPath(sha256)).toBe(`blobs/sha256/${'a1'.repeat(32)}`);
  });

  it('leads back to the digest', () => {
    const algorithm = fc.stringMatching(/^[a-z0-9]{1,5}([+._-][a-z0-9]{1,5}){0,3}$/);
    const encoded = fc.stringMatching(/^[a-zA-Z0-9=_-]{1,40}$/);
    fc.assert(
      fc.property(algorithm, encoded, (algorithm, encoded) => {
        const text = `${algorithm}:${encoded}`;
        fc.pre(isDigest(text));
        expect(digestOfBlobPath(blobPath(parseDigest(text)))).toBe(text);
      }),
    );
  });

  it('is refused for a text that only has the form of a digest', () => {
    expect(failure(() => blobPath('sha256:../../index.json')).code).toBe('INVALID_DIGEST');
  });

  it.each(['blobs', 'blobs/sha256', 'blobs/sha256/abc', `blobs/sha256/${'a'.repeat(64)}/x`, `x/sha256/${'a'.repeat(64)}`, 'index.json', ''])(
    'is not %j',
    (path) => {
      expect(digestOfBlobPath(path)).toBeUndefined();
    },
  );
});
