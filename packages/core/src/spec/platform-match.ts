import { normalizePlatform } from './platform.ts';
import type { Platform } from './platform.ts';

/** Which platforms are wanted, and which of them first. */
export interface PlatformMatcher {
  match(platform: Platform): boolean;
  /** Below 0 where `a` serves better than `b`, 0 where neither does. What does not match comes last. */
  compare(a: Platform, b: Platform): number;
}

export interface MatchOptions {
  /** Only the wanted platform itself, not what it could run as well. */
  readonly strict?: boolean;
}

/** The first build of Windows whose containers later builds run too (Windows Server 2022). */
const stableBuild = 20348;

/** Armv9.n has all of Armv8.(n+5); Armv8 ends with v8.9. */
const lastArm8Minor = 9;

/**
 * What a host of the wanted platform can run, the wanted platform itself first, as containerd's `Only`: lower variants, `386` on
 * `amd64` and `arm` on `arm64`. With `strict` as `OnlyStrict`. The os.features of a candidate must all be among the wanted
 * ones. On Windows the first three parts of os.version count, if both have one.
 */
export function matchPlatform(wanted: Platform, options: MatchOptions = {}): PlatformMatcher {
  const normal = normalizePlatform(wanted);
  const accepted = options.strict === true ? [normal] : compatible(normal);
  const strict = options.strict === true;
  const rank = (platform: Platform): number => {
    const candidate = normalizePlatform(platform);
    if (candidate.os !== normal.os || !hasFeatures(normal, candidate) || !versionFits(normal, candidate, strict)) return Infinity;
    const at = accepted.findIndex(
      ({ architecture, variant = '' }) => architecture === candidate.architecture && variant === (candidate.variant ?? ''),
    );
    return at < 0 ? Infinity : at;
  };
  return {
    match: (platform) => rank(platform) !== Infinity,
    compare(a, b) {
      const [rankA, rankB] = [rank(a), rank(b)];
      if (rankA !== rankB) return rankA < rankB ? -1 : 1;
      return rankA === Infinity || normal['os.version'] === undefined ? 0 : buildOf(b) - buildOf(a);
    },
  };
}

/** The position of the best match, the first of equals; -1 where none matches. What has no platform is no match. */
export function bestMatch(wanted: Platform | PlatformMatcher, platforms: readonly (Platform | undefined)[]): number {
  const matcher = 'match' in wanted ? wanted : matchPlatform(wanted);
  let best = -1;
  let bestPlatform: Platform | undefined;
  for (const [at, platform] of platforms.entries()) {
    if (platform === undefined || !matcher.match(platform)) continue;
    if (bestPlatform !== undefined && matcher.compare(platform, bestPlatform) >= 0) continue;
    best = at;
    bestPlatform = platform;
  }
  return best;
}

/** The normal forms that a host of this normal form runs, best first. */
function compatible({ os, architecture, variant = '' }: Platform): readonly Platform[] {
  const vectors: Readonly<Record<string, () => readonly (readonly [string, string])[]>> = {
    amd64: () => [...variants('amd64', variant, 2), ['amd64', ''], ['386', '']],
    arm: () => variants('arm', variant, 5),
    arm64: () => [...arm64Variants(variant), ...variants('arm', 'v8', 5)],
  };
  const vector = Object.hasOwn(vectors, architecture) ? vectors[architecture]?.() : undefined;
  return [[architecture, variant] as const, ...(vector ?? [])].map(([architecture, variant]) => ({ os, architecture, variant }));
}

/** `v7`, `v6`, `v5` for `v7` down to 5. */
function variants(architecture: string, highest: string, lowest: number): readonly (readonly [string, string])[] {
  // Two digits at most: a variant is a text from outside, and each step down is an entry.
  const version = /^v(\d{1,2})$/.exec(highest);
  const list: (readonly [string, string])[] = [];
  for (let step = Number(version?.[1] ?? 0); step >= lowest; step -= 1) list.push([architecture, `v${step}`]);
  return list;
}

function arm64Variants(variant: string): readonly (readonly [string, string])[] {
  const version = /^v([89])(?:\.(\d))?$/.exec(variant);
  const list: (readonly [string, string])[] = [];
  if (version !== null) {
    let minor = Number(version[2] ?? 0);
    if (version[1] === '9') {
      for (let step = minor; step >= 0; step -= 1) list.push(['arm64', step === 0 ? 'v9' : `v9.${step}`]);
      minor = Math.min(minor + 5, lastArm8Minor);
    }
    for (let step = minor; step > 0; step -= 1) list.push(['arm64', `v8.${step}`]);
  }
  return [...list, ['arm64', '']];
}

function hasFeatures(wanted: Platform, candidate: Platform): boolean {
  return (candidate['os.features'] ?? []).every((feature) => wanted['os.features']?.includes(feature));
}

function versionFits(wanted: Platform, candidate: Platform, strict: boolean): boolean {
  if (wanted.os !== 'windows') return true;
  const [host, image] = [windowsVersion(wanted), windowsVersion(candidate)];
  // Without a version of its own an image is taken to run anywhere.
  if (host === undefined || !candidate['os.version']) return true;
  if (image === undefined || host.release !== image.release) return false;
  if (strict || host.build < stableBuild) return host.build === image.build;
  return image.build >= stableBuild && image.build <= host.build;
}

function buildOf(platform: Platform): number {
  return windowsVersion(platform)?.build ?? 0;
}

function windowsVersion(platform: Platform): { readonly release: string; readonly build: number } | undefined {
  const parts = /^(\d{1,3}\.\d{1,3})\.(\d{1,5})(?:\.|$)/.exec(platform['os.version'] ?? '');
  return parts === null ? undefined : { release: parts[1] ?? '', build: Number(parts[2]) };
}
