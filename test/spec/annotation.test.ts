import { describe, expect, it } from 'vitest';
import { annotationKeys, archiveName, distributionSources, isCompanion, isFullReference } from '../../packages/core/src/spec/annotation.ts';

const { imageName, refName } = annotationKeys;

describe('archiveName', () => {
  it('prefers the full name that containerd writes', () => {
    expect(archiveName({ [refName]: '1', [imageName]: 'docker.io/library/hello:1' })).toBe('docker.io/library/hello:1');
  });

  it('falls back to the name of the image-spec', () => {
    expect(archiveName({ [refName]: '1' })).toBe('1');
    expect(archiveName({ [refName]: '1', [imageName]: '' })).toBe('1');
  });

  it('is undefined where there is none', () => {
    expect(archiveName({ [refName]: '' })).toBeUndefined();
    expect(archiveName({})).toBeUndefined();
    expect(archiveName(undefined)).toBeUndefined();
  });
});

describe('isFullReference', () => {
  it.each(['hello:1', 'user/hello', 'hello@sha256', 'docker.io/library/hello:1'])('is true for %s', (text) => {
    expect(isFullReference(text)).toBe(true);
  });

  it.each(['1', 'latest', 'v1.2-rc_1', ''])('is false for the tag %j', (text) => {
    expect(isFullReference(text)).toBe(false);
  });
});

describe('isCompanion', () => {
  it('knows attestations and referrers from images', () => {
    expect(isCompanion({ [annotationKeys.referenceType]: 'attestation-manifest' })).toBe(true);
    expect(isCompanion({ [annotationKeys.manifestSubject]: 'sha256:abc' })).toBe(true);
    expect(isCompanion({ [refName]: '1' })).toBe(false);
    expect(isCompanion(undefined)).toBe(false);
  });
});

describe('distributionSources', () => {
  it('lists the repositories by registry', () => {
    expect(
      distributionSources({
        'containerd.io/distribution.source.docker.io': 'library/hello,user/hello',
        'containerd.io/distribution.source.ghcr.io': ',owner/app,',
        'containerd.io/distribution.source.empty.io': '',
        'containerd.io/distribution.source.': 'x',
        'containerd.io/other': 'x',
      }),
    ).toEqual(
      new Map([
        ['docker.io', ['library/hello', 'user/hello']],
        ['ghcr.io', ['owner/app']],
      ]),
    );
    expect(distributionSources(undefined).size).toBe(0);
  });
});
