import { describe, expect, it } from 'vitest';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { formatPlatform, normalizePlatform, parsePlatform } from '../../packages/core/src/spec/platform.ts';
import type { Platform } from '../../packages/core/src/spec/platform.ts';
import { failure } from './support.ts';
import fc from '../support/fast-check.ts';

const arm = { os: 'linux', architecture: 'arm' };
const arm64 = { os: 'linux', architecture: 'arm64' };
const amd64 = { os: 'linux', architecture: 'amd64' };

describe('parsePlatform', () => {
  it.each<[string, Platform]>([
    ['linux/amd64', amd64],
    ['Linux/AMD64', amd64],
    ['linux/x86_64', amd64],
    ['linux/x86-64', amd64],
    ['linux/amd64/v1', amd64],
    ['linux/amd64/v3', { ...amd64, variant: 'v3' }],
    ['amd64', amd64],
    ['arm64', arm64],
    ['aarch64', arm64],
    ['linux/arm64/v8', { ...arm64, variant: 'v8' }],
    ['linux/arm64/8', { ...arm64, variant: 'v8' }],
    ['linux/arm64/v9.2', { ...arm64, variant: 'v9.2' }],
    ['linux/arm', arm],
    ['linux/arm/v7', { ...arm, variant: 'v7' }],
    ['linux/arm/7', { ...arm, variant: 'v7' }],
    ['linux/armhf', arm],
    ['linux/armel', { ...arm, variant: 'v6' }],
    ['linux/i386', { os: 'linux', architecture: '386' }],
    ['macos/arm64', { os: 'darwin', architecture: 'arm64' }],
    ['linux/ppc64le/power9', { os: 'linux', architecture: 'ppc64le', variant: 'power9' }],
    ['windows(10.0.17763)/amd64', { os: 'windows', 'os.version': '10.0.17763', architecture: 'amd64' }],
    ['windows(10.0.17763+win32k)/amd64', { os: 'windows', 'os.version': '10.0.17763', 'os.features': ['win32k'], architecture: 'amd64' }],
    ['linux(+b+a+b)/amd64', { ...amd64, 'os.features': ['a', 'b'] }],
    ['windows(1%2B2)/amd64', { os: 'windows', 'os.version': '1+2', architecture: 'amd64' }],
    ['unknown/unknown', { os: 'unknown', architecture: 'unknown' }],
  ])('reads %s', (text, expected) => {
    expect(parsePlatform(text)).toEqual(expected);
  });

  it.each([
    '',
    '/',
    'linux/',
    '/amd64',
    'linux//v7',
    'linux/arm/v7/x',
    'linux/*',
    '*',
    'linux/amd 64',
    'linux/amd64\n',
    'linux(/amd64',
    'linux(1/2)/amd64',
    'linux(%)/amd64',
    'linux(%ff)/amd64',
    'toaster',
    'linux(1.0)',
    `linux/${'a'.repeat(300)}`,
  ])('refuses %j', (text) => {
    const error = failure(() => parsePlatform(text));
    expect(error.code).toBe('INVALID_PLATFORM');
    expect(error.hint).toBeDefined();
  });

  it('takes what is missing from the host', () => {
    const host = { os: 'windows', architecture: 'arm', variant: 'v6' };
    expect(parsePlatform('linux', host)).toEqual({ os: 'linux', architecture: 'arm', variant: 'v6' });
    expect(parsePlatform('amd64', host)).toEqual({ os: 'windows', architecture: 'amd64' });
    expect(parsePlatform('linux/amd64', host)).toEqual(amd64);
  });

  it('asks for the architecture where no host is given', () => {
    expect(failure(() => parsePlatform('linux')).hint).toContain('linux/amd64');
  });

  it('throws nothing but INVALID_PLATFORM, and what it takes survives its own format', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'aA1/()+%2.-_', 'linux/', 'arm', 'v7'), maxLength: 12 }));
    fc.assert(
      fc.property(text, (text) => {
        try {
          const platform = parsePlatform(text);
          expect(parsePlatform(formatPlatform(platform))).toEqual(platform);
        } catch (error) {
          if (!isOciTarError(error, 'INVALID_PLATFORM')) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('formatPlatform', () => {
  it.each(['linux/amd64', 'linux/arm/v7', 'linux/arm', 'linux/arm64/v8', 'linux/arm64', 'windows(10.0.17763)/amd64', 'windows(10.0+a+b)/amd64'])(
    'writes %s as it was read',
    (text) => {
      expect(formatPlatform(parsePlatform(text))).toBe(text);
    },
  );

  it('leaves empty fields out and sorts features', () => {
    expect(formatPlatform({ ...amd64, variant: '', 'os.version': '', 'os.features': ['b', 'a'] })).toBe('linux(+a+b)/amd64');
  });

  it('encodes what would break the form', () => {
    expect(formatPlatform({ ...amd64, 'os.version': '1+(é)/%' })).toBe('linux(1%2B%28%C3%A9%29%2F%25)/amd64');
    expect(parsePlatform('linux(1%2B%28%C3%A9%29%2F%25)/amd64')['os.version']).toBe('1+(é)/%');
  });
});

describe('normalizePlatform', () => {
  it.each<[Platform, Platform]>([
    [{ os: 'Linux', architecture: 'x86_64' }, amd64],
    [{ ...amd64, variant: 'v1' }, amd64],
    [{ ...amd64, variant: 'V2' }, { ...amd64, variant: 'v2' }],
    [arm, { ...arm, variant: 'v7' }],
    [{ ...arm, variant: '6' }, { ...arm, variant: 'v6' }],
    [{ os: 'linux', architecture: 'armhf' }, { ...arm, variant: 'v7' }],
    [{ os: 'linux', architecture: 'armel' }, { ...arm, variant: 'v6' }],
    [{ ...arm64, variant: 'v8' }, arm64],
    [{ ...arm64, variant: '8' }, arm64],
    [{ ...arm64, variant: 'v8.0' }, arm64],
    [{ ...arm64, variant: 'v9.0' }, { ...arm64, variant: 'v9' }],
    [{ os: 'linux', architecture: 'i386', variant: 'x' }, { os: 'linux', architecture: '386' }],
    [{ os: 'macos', architecture: 'aarch64' }, { os: 'darwin', architecture: 'arm64' }],
    [{ ...amd64, variant: '', 'os.features': [] }, amd64],
    [{ ...amd64, 'os.features': ['b', 'a', 'b'], 'os.version': '1' }, { ...amd64, 'os.features': ['a', 'b'], 'os.version': '1' }],
  ])('turns %j into %j', (platform, normal) => {
    expect(normalizePlatform(platform)).toStrictEqual(normal);
  });

  it('changes nothing the second time', () => {
    const part = fc.oneof(fc.string(), fc.constantFrom('arm', 'ARMHF', 'arm64', 'amd64', 'x86-64', 'v1', 'v7', '8', '', 'macos'));
    fc.assert(
      fc.property(part, part, part, (os, architecture, variant) => {
        const normal = normalizePlatform({ os, architecture, variant });
        expect(normalizePlatform(normal)).toStrictEqual(normal);
      }),
    );
  });
});
