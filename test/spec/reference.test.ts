import { describe, expect, it } from 'vitest';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import {
  familiarReference,
  formatReference,
  isReference,
  normalizeName,
  parseReference,
  repositoryOf,
  withDefaultTag,
} from '../../packages/core/src/spec/reference.ts';
import type { Reference } from '../../packages/core/src/spec/reference.ts';
import { digestA, failure } from './support.ts';
import fc from '../support/fast-check.ts';

const pathComponent = fc.stringMatching(/^[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}$/);
const path = fc.array(pathComponent, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const domain = fc.oneof(
  fc.constantFrom('docker.io', 'docker.io', 'localhost', 'localhost:5000', '[::1]:5000', '[fe80::1]', 'Registry', '127.0.0.1:80'),
  fc.stringMatching(/^[a-zA-Z0-9]{1,4}(-[a-zA-Z0-9]{1,4})?\.[a-z]{2,3}(:[0-9]{1,5})?$/).filter((domain) => domain !== 'index.docker.io'),
);
const reference: fc.Arbitrary<Reference> = fc
  .record({ domain, path, tag: fc.stringMatching(/^\w[\w.-]{0,10}$/), digest: fc.constant(digestA) }, { requiredKeys: ['domain', 'path'] })
  .map((reference) =>
    reference.domain === 'docker.io' && !reference.path.includes('/') ? { ...reference, path: `library/${reference.path}` } : reference,
  );

describe('parseReference', () => {
  it.each([
    ['hello', { domain: 'docker.io', path: 'library/hello' }],
    ['hello:1', { domain: 'docker.io', path: 'library/hello', tag: '1' }],
    ['docker.io/hello:1', { domain: 'docker.io', path: 'library/hello', tag: '1' }],
    ['index.docker.io/hello:1', { domain: 'docker.io', path: 'library/hello', tag: '1' }],
    ['index.docker.io/a/b', { domain: 'docker.io', path: 'a/b' }],
    ['user/app', { domain: 'docker.io', path: 'user/app' }],
    ['ghcr.io/owner/app:v1.2', { domain: 'ghcr.io', path: 'owner/app', tag: 'v1.2' }],
    ['localhost/app', { domain: 'localhost', path: 'app' }],
    ['localhost:5000', { domain: 'docker.io', path: 'library/localhost', tag: '5000' }],
    ['localhost:5000/app:v1', { domain: 'localhost:5000', path: 'app', tag: 'v1' }],
    ['host:5000/a/b', { domain: 'host:5000', path: 'a/b' }],
    ['[::1]:5000/a/b:tag', { domain: '[::1]:5000', path: 'a/b', tag: 'tag' }],
    ['[2001:db8::1]/a', { domain: '[2001:db8::1]', path: 'a' }],
    ['Host/app', { domain: 'Host', path: 'app' }],
    ['user/a__b--c.d_e', { domain: 'docker.io', path: 'user/a__b--c.d_e' }],
    [`hello@${digestA}`, { domain: 'docker.io', path: 'library/hello', digest: digestA }],
    [`hello:1@${digestA}`, { domain: 'docker.io', path: 'library/hello', tag: '1', digest: digestA }],
    [`hello:_-.A`, { domain: 'docker.io', path: 'library/hello', tag: '_-.A' }],
    [`${'a'.repeat(64)}:1`, { domain: 'docker.io', path: `library/${'a'.repeat(64)}`, tag: '1' }],
  ])('reads %s', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each([
    ['an empty text', ''],
    ['upper case in the repository', 'docker.io/Library/hello'],
    ['upper case in a familiar name', 'Hello'],
    ['64 hex digits', 'a'.repeat(64)],
    ['an address', 'https://docker.io/hello'],
    ['an empty tag', 'hello:'],
    ['a tag that starts with a point', 'hello:.1'],
    ['a tag that starts with a hyphen', 'hello:-1'],
    ['a tag of 129 characters', `hello:${'t'.repeat(129)}`],
    ['an empty digest', 'hello@'],
    ['a short digest', 'hello@sha256:abc'],
    ['a digest in upper case', `hello@sha256:${'A'.repeat(64)}`],
    ['a digest alone', digestA],
    ['a digest before the tag', `hello@${digestA}:1`],
    ['two digests', `hello@${digestA}@${digestA}`],
    ['a leading slash', '/hello'],
    ['a trailing slash', 'user/'],
    ['two slashes', 'user//app'],
    ['three underscores', 'user/a___b'],
    ['two points', 'user/a..b'],
    ['a trailing separator', 'user/a-'],
    ['a parent folder', '../app'],
    ['a space', 'user/a b'],
    ['a newline at the end', 'user/app\n'],
    ['a newline after the tag', 'user/app:1\n'],
    ['a domain with an underscore', 'a_b.example:5000/app'],
    ['a domain that starts with a hyphen', '-a.example/app'],
    ['a domain with two points', 'a..example/app'],
    ['a port that is no number', 'host:port/app'],
    ['an IPv6 address without brackets', '::1/app'],
    ['a zone in an IPv6 address', '[fe80::1%eth0]/app'],
    ['a repository of 256 characters', `example.com/${'a'.repeat(256)}`],
    ['a domain of more than 255 characters', `${'a.'.repeat(128)}com/app`],
    ['letters beyond ASCII', 'user/äpp'],
  ])('refuses %s', (_, text) => {
    expect(failure(() => parseReference(text)).code).toBe('INVALID_REFERENCE');
    expect(isReference(text)).toBe(false);
  });

  it('takes a repository of 255 characters and a tag of 128', () => {
    const text = `example.com/${'a'.repeat(255)}:${'t'.repeat(128)}`;
    expect(formatReference(parseReference(text))).toBe(text);
  });

  it.each([
    ['Hello', 'lower case'],
    ['https://docker.io/hello', 'https://'],
    ['a'.repeat(64), `name@sha256:${'a'.repeat(64)}`],
    ['hello@sha256:abc', '64 lower-case hex digits'],
    ['hello:', 'A tag has'],
  ])('says for %s what to do', (text, hint) => {
    expect(failure(() => parseReference(text)).hint).toContain(hint);
  });

  it('throws nothing but INVALID_REFERENCE', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'aA0/:@._-[]%\n') }));
    fc.assert(
      fc.property(text, (text) => {
        try {
          // What is accepted has one full form that stands for the same.
          const parsed = parseReference(text);
          expect(parseReference(formatReference(parsed))).toEqual(parsed);
        } catch (error) {
          if (!isOciTarError(error, 'INVALID_REFERENCE')) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the forms of a reference', () => {
  it('lead back to it, the full one and the familiar one', () => {
    fc.assert(
      fc.property(reference, (reference) => {
        expect(parseReference(formatReference(reference))).toEqual(reference);
        expect(parseReference(familiarReference(reference))).toEqual(reference);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['docker.io/library/hello:1', 'hello:1'],
    ['docker.io/user/app', 'user/app'],
    ['docker.io/library/a/b:1', 'library/a/b:1'],
    ['docker.io/library/library', 'library'],
    [`hello@${digestA}`, `hello@${digestA}`],
    ['ghcr.io/library/hello:1', 'ghcr.io/library/hello:1'],
    // Without docker.io these would be on other registries.
    ['docker.io/localhost/app:1', 'docker.io/localhost/app:1'],
    ['docker.io/a.b/app:1', 'docker.io/a.b/app:1'],
    [`docker.io/library/${'a'.repeat(64)}`, `docker.io/library/${'a'.repeat(64)}`],
    [`docker.io/library/${'a'.repeat(64)}:1`, `${'a'.repeat(64)}:1`],
    [`docker.io/library/${digestA}`, `docker.io/library/${digestA}`],
  ])('show %s as %s', (full, familiar) => {
    expect(familiarReference(full)).toBe(familiar);
    expect(familiarReference(parseReference(full))).toBe(familiar);
  });

  it.each([
    ['hello', 'docker.io/library/hello:latest'],
    ['hello:1', 'docker.io/library/hello:1'],
    [`hello@${digestA}`, `docker.io/library/hello@${digestA}`],
    [`hello:1@${digestA}`, `docker.io/library/hello:1@${digestA}`],
    ['localhost:5000/app', 'localhost:5000/app:latest'],
  ])('normalise %s to %s', (text, full) => {
    expect(normalizeName(text)).toBe(full);
    expect(normalizeName(full)).toBe(full);
  });

  it('add the default tag without touching the reference given', () => {
    const bare = parseReference('hello');
    expect(withDefaultTag(bare).tag).toBe('latest');
    expect(bare.tag).toBeUndefined();
    expect(repositoryOf(bare)).toBe('docker.io/library/hello');
  });
});
