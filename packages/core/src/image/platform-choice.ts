import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { bestMatch, matchPlatform } from '../spec/platform-match.ts';
import type { Platform } from '../spec/platform.ts';

/** Undefined: whatever the source has. `all`: every platform. A list: each of these. */
export type PlatformChoice = readonly Platform[] | 'all' | undefined;

/**
 * Which children of an index a choice takes: for each platform the ones that are exactly it, or where there is none the best
 * that runs on it (arm/v6 for arm/v7), as containerd chooses. One without a platform is always taken (a nested index), and an
 * attestation goes with the image that it describes.
 */
export function chosenChildren(children: readonly Descriptor[], choice: PlatformChoice): readonly boolean[] {
  if (choice === undefined || choice === 'all') return children.map(() => true);
  const images = children.map((child) => (describedBy(child) === undefined ? child.platform : undefined));
  const wanted = new Set(choice.flatMap((platform) => positionsOf(platform, images)));
  const matched = children.map((child, position) => wanted.has(position) || (child.platform === undefined && describedBy(child) === undefined));
  const taken = new Set<string>(children.filter((_, position) => matched[position]).map((child) => child.digest));
  return children.map((child, position) => matched[position] === true || taken.has(describedBy(child) ?? ''));
}

/** The platforms of a list that none of these serves. */
export function unmetPlatforms(choice: readonly Platform[], offered: readonly Platform[]): readonly Platform[] {
  return choice.filter((wanted) => bestMatch(wanted, offered) < 0);
}

/** The digest of the image that a child of an index only describes: BuildKit's attestations. */
export function describedBy(child: Descriptor): string | undefined {
  return child.annotations?.[annotationKeys.referenceDigest];
}

function positionsOf(wanted: Platform, platforms: readonly (Platform | undefined)[]): readonly number[] {
  const strict = matchPlatform(wanted, { strict: true });
  const exact = platforms.flatMap((platform, position) => (platform !== undefined && strict.match(platform) ? [position] : []));
  if (exact.length > 0) return exact;
  const best = bestMatch(wanted, platforms);
  return best < 0 ? [] : [best];
}
