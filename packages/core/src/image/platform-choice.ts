import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { matchPlatform } from '../spec/platform-match.ts';
import type { Platform } from '../spec/platform.ts';

/** Undefined: whatever the source has. `all`: every platform. A list: these. */
export type PlatformChoice = readonly Platform[] | 'all' | undefined;

/**
 * Which children of an index a choice takes. One without a platform is always taken (a nested index), and an attestation
 * goes with the image that it describes.
 */
export function chosenChildren(children: readonly Descriptor[], choice: PlatformChoice): readonly boolean[] {
  if (choice === undefined || choice === 'all') return children.map(() => true);
  const matchers = choice.map((platform) => matchPlatform(platform));
  const matched = children.map((child) => {
    const { platform } = child;
    if (describedBy(child) !== undefined) return false;
    return platform === undefined || matchers.some((matcher) => matcher.match(platform));
  });
  const taken = new Set<string>(children.filter((_, position) => matched[position]).map((child) => child.digest));
  return children.map((child, position) => matched[position] === true || taken.has(describedBy(child) ?? ''));
}

function describedBy(child: Descriptor): string | undefined {
  return child.annotations?.[annotationKeys.referenceDigest];
}
