import { parseDigest } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { cosignTags, isReferrerTag, referrersTag, repositoryText, tagOfName, withTag } from '../../packages/core/src/spec/referrer-tag.ts';

const hex = '0123456789abcdef'.repeat(4);

describe('a tag that is made of a digest', () => {
  it('is that of the tag schema, cut to what a tag can hold', () => {
    expect(referrersTag(parseDigest(`sha256:${hex}`))).toBe(`sha256-${hex}`);
    expect(referrersTag(parseDigest(`sha512:${hex}${hex}`))).toBe(`sha512-${hex}`);
    expect(referrersTag(parseDigest(`${'a'.repeat(40)}+b:x=y`))).toBe(`${'a'.repeat(32)}-x-y`);
  });

  it("is cosign's, with what it keeps there", () => {
    expect(cosignTags(parseDigest(`sha256:${hex}`))).toEqual([`sha256-${hex}.sig`, `sha256-${hex}.att`, `sha256-${hex}.sbom`]);
  });

  it.each([[`sha256-${hex}`, true], [`sha256-${hex}.sig`, true], [`sha512-${hex}`, true], [`sha256-${hex}.tar`, false], ['sha256-abc', false], ['v1', false], [`SHA256-${hex}`, false], ['', false]])('is told by its form: %s', (tag, is) => {
    expect(isReferrerTag(tag)).toBe(is);
  });
});

describe('a name as it is spelled', () => {
  it.each([
    ['v1', 'v1', '', 'x'],
    ['hello:1', '1', 'hello', 'hello:x'],
    ['example.org:5000/a/b:1', '1', 'example.org:5000/a/b', 'example.org:5000/a/b:x'],
    ['example.org:5000/a/b', undefined, 'example.org:5000/a/b', 'example.org:5000/a/b:x'],
    [`a/b@sha256:${hex}`, undefined, 'a/b', 'a/b:x'],
    [`a/b:1@sha256:${hex}`, undefined, 'a/b', 'a/b:x'],
  ])('%s has a tag, a repository, and a place for another tag', (name, tag, repository, other) => {
    expect([tagOfName(name), repositoryText(name), withTag(name, 'x')]).toEqual([tag, repository, other]);
  });
});
