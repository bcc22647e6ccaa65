import { describe, expect, it } from 'vitest';
import { bestMatch, matchPlatform } from '../../packages/core/src/spec/platform-match.ts';
import { parsePlatform } from '../../packages/core/src/spec/platform.ts';
import fc from '../support/fast-check.ts';

const runs = (wanted: string, candidate: string, strict = false) => matchPlatform(parsePlatform(wanted), { strict }).match(parsePlatform(candidate));

const sample = [
  'linux/amd64', 'linux/amd64/v2', 'linux/amd64/v3', 'linux/386', 'linux/arm', 'linux/arm/v5', 'linux/arm/v6', 'linux/arm/v7', 'linux/arm/v8',
  'linux/arm64', 'linux/arm64/v8', 'linux/arm64/v8.1', 'linux/arm64/v8.9', 'linux/arm64/v9', 'linux/arm64/v9.1', 'linux/riscv64', 'darwin/arm64',
  'windows/amd64', 'windows(10.0.17763.1)/amd64', 'windows(10.0.17763.99)/amd64', 'windows(10.0.20348)/amd64', 'windows(10.0.26100)/amd64',
];

describe('matchPlatform', () => {
  it.each([
    ['linux/arm/v7', ['linux/arm', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']],
    ['linux/arm', ['linux/arm', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']],
    ['linux/arm/v6', ['linux/arm/v6', 'linux/arm/v5']],
    ['linux/arm/v5', ['linux/arm/v5']],
    ['linux/arm64', ['linux/arm64', 'linux/arm64/v8', 'linux/arm/v8', 'linux/arm/v7', 'linux/arm', 'linux/arm/v6', 'linux/arm/v5']],
    ['linux/arm64/v8.1', ['linux/arm64/v8.1', 'linux/arm64', 'linux/arm64/v8', 'linux/arm/v8', 'linux/arm', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']],
    [
      'linux/arm64/v9.1',
      ['linux/arm64/v9.1', 'linux/arm64/v9', 'linux/arm64/v8.1', 'linux/arm64', 'linux/arm64/v8', 'linux/arm/v8', 'linux/arm', 'linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5'],
    ],
    ['linux/amd64', ['linux/amd64', 'linux/386']],
    ['linux/amd64/v3', ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64', 'linux/386']],
    ['linux/386', ['linux/386']],
    ['linux/riscv64', ['linux/riscv64']],
    ['darwin/arm64', ['darwin/arm64']],
  ])('finds for %s all that it runs', (wanted, expected) => {
    expect(sample.filter((candidate) => runs(wanted, candidate)).sort()).toEqual([...expected].sort());
  });

  it.each([
    ['linux/arm64', ['linux/arm64', 'linux/arm64/v8']],
    ['linux/arm/v7', ['linux/arm', 'linux/arm/v7']],
    ['linux/amd64', ['linux/amd64']],
    ['linux/amd64/v3', ['linux/amd64/v3']],
  ])('finds for %s, strictly, the platform itself in all its spellings', (wanted, expected) => {
    expect(sample.filter((candidate) => runs(wanted, candidate, true))).toEqual(expected);
  });

  it('knows that arm64 v9.n has all of v8.(n+5) and not more', () => {
    expect(runs('linux/arm64/v9', 'linux/arm64/v8.5')).toBe(true);
    expect(runs('linux/arm64/v9', 'linux/arm64/v8.6')).toBe(false);
    expect(runs('linux/arm64/v9.5', 'linux/arm64/v8.9')).toBe(true);
  });

  it.each([
    ['windows(10.0.17763)/amd64', 'windows(10.0.17763.1234)/amd64', true, true],
    ['windows(10.0.17763.1)/amd64', 'windows(10.0.17763.9)/amd64', true, true],
    ['windows(10.0.17763)/amd64', 'windows(10.0.17764)/amd64', false, false],
    ['windows(10.0.17763)/amd64', 'windows(10.0.1776)/amd64', false, false],
    ['windows(10.0.17763)/amd64', 'windows/amd64', true, true],
    ['windows/amd64', 'windows(10.0.17763)/amd64', true, true],
    ['windows(10.0.26100)/amd64', 'windows(10.0.20348)/amd64', true, false],
    ['windows(10.0.26100)/amd64', 'windows(10.0.17763)/amd64', false, false],
    ['windows(10.0.20348)/amd64', 'windows(10.0.26100)/amd64', false, false],
    ['windows(11.0.20348)/amd64', 'windows(10.0.20348)/amd64', false, false],
    ['windows(10.0.17763)/amd64', 'windows(nonsense)/amd64', false, false],
  ])('compares versions of Windows by their first three parts: %s runs %s: %s, strictly: %s', (wanted, candidate, loose, strict) => {
    expect(runs(wanted, candidate)).toBe(loose);
    expect(runs(wanted, candidate, true)).toBe(strict);
  });

  it('ignores versions of other systems', () => {
    expect(runs('linux(5.10.1)/amd64', 'linux(6.1.0)/amd64')).toBe(true);
  });

  it('wants every feature of a candidate to be among its own', () => {
    expect(runs('windows(+win32k)/amd64', 'windows(+win32k)/amd64')).toBe(true);
    expect(runs('windows(+win32k)/amd64', 'windows/amd64')).toBe(true);
    expect(runs('windows/amd64', 'windows(+win32k)/amd64')).toBe(false);
  });

  it('orders as a comparison must', () => {
    const any = fc.constantFrom(...sample).map((text) => parsePlatform(text));
    fc.assert(
      fc.property(any, any, any, any, fc.boolean(), (wanted, a, b, c, strict) => {
        const { compare, match } = matchPlatform(wanted, { strict });
        const sign = (value: number) => Math.sign(value) + 0;
        expect(sign(compare(a, b))).toBe(-sign(compare(b, a)) + 0);
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
        if (match(a) && !match(b)) expect(compare(a, b)).toBeLessThan(0);
        expect(match(wanted)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('is not led astray by a variant out of all proportion', () => {
    expect(matchPlatform({ os: 'linux', architecture: 'arm', variant: 'v999999999' }).match(parsePlatform('linux/arm/v6'))).toBe(false);
    expect(matchPlatform({ os: 'linux', architecture: 'constructor' }).match(parsePlatform('linux/constructor'))).toBe(true);
  });
});

describe('bestMatch', () => {
  const best = (wanted: string, ...candidates: (string | undefined)[]) =>
    bestMatch(parsePlatform(wanted), candidates.map((text) => (text === undefined ? undefined : parsePlatform(text))));

  it('prefers the highest variant that runs', () => {
    expect(best('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v8', 'linux/arm/v6', 'linux/arm/v5')).toBe(2);
    expect(best('linux/amd64', 'linux/386', 'linux/amd64')).toBe(1);
    expect(best('linux/arm64', 'linux/arm/v7', 'linux/arm64/v8')).toBe(1);
  });

  it('takes the first of equals', () => {
    expect(best('linux/amd64', 'linux/arm64', 'linux/amd64', 'linux/amd64/v1')).toBe(1);
    expect(best('windows/amd64', 'windows(10.0.17763)/amd64', 'windows(10.0.20348)/amd64')).toBe(0);
  });

  it('takes the latest Windows that the wanted one runs', () => {
    expect(best('windows(10.0.26100)/amd64', 'windows(10.0.17763)/amd64', 'windows(10.0.20348)/amd64', 'windows(10.0.26100)/amd64', 'windows/amd64')).toBe(2);
  });

  it('is -1 where nothing matches', () => {
    expect(best('linux/amd64', 'linux/arm64', undefined, 'windows/amd64')).toBe(-1);
    expect(best('linux/amd64')).toBe(-1);
  });

  it('takes a matcher as well', () => {
    const strict = matchPlatform(parsePlatform('linux/amd64'), { strict: true });
    expect(bestMatch(strict, [parsePlatform('linux/386')])).toBe(-1);
  });
});
