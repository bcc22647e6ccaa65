import { OciTarError } from '../errors.ts';
import type { ErrorDetails } from '../errors.ts';
import { annotationKeys } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { isIndexType } from '../spec/media-type.ts';
import type { Platform } from '../spec/platform.ts';
import { formatPlatform } from '../spec/platform.ts';
import { describedBy, unmetPlatforms } from './platform-choice.ts';
import type { PlatformChoice } from './platform-choice.ts';
import type { NamedImage } from './store.ts';
import type { Walked } from './walk.ts';

/**
 * Everything below a root, itself first, in the order of the documents. An index that is met twice is entered once, so that
 * the list is no longer than the documents are.
 */
export function* below(root: Walked, entered = new Set<string>(), within?: Walked): Generator<{ readonly walked: Walked; readonly within?: Walked }> {
  yield within === undefined ? { walked: root } : { walked: root, within };
  if (entered.has(root.descriptor.digest)) return;
  if (root.parts.length > 0) entered.add(root.descriptor.digest);
  for (const part of root.parts) yield* below(part, entered, root);
}

/** Why an image cannot move as it was asked for; undefined when it can. */
export function failureOf(image: NamedImage, root: Walked, choice: PlatformChoice, where: string): OciTarError | undefined {
  const all = [...below(root)].map(({ walked }) => walked);
  const [damage] = all.flatMap((walked) => walked.damage);
  if (damage !== undefined) return damage.error;
  const unmet = unmetIn(all, root, choice);
  if (root.state === 'complete' && unmet.length === 0) return undefined;
  const missing = missingIn(all);
  const name = image.name ?? image.descriptor.digest;
  const named: ErrorDetails = { side: 'source', subject: name };
  if (missing.length === 0) return noPlatform(name, where, unmet, all, named);
  const bytes = missing.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const lines = [
    ...missing.map(({ label, descriptor }) => `${label === undefined ? '' : `${label}: `}${descriptor.mediaType} ${descriptor.digest}, ${descriptor.size} bytes`),
    ...unmet.map((platform) => `${formatPlatform(platform)}: no manifest is for it`),
  ];
  const blobs = missing.length === 1 ? '1 blob' : `${missing.length} blobs`;
  return new OciTarError('NOT_FOUND', `${name} is incomplete in ${where}: it lacks ${blobs} of ${bytes} bytes\n  ${lines.join('\n  ')}`, {
    ...named,
    missing: missing.map(({ label, descriptor: { mediaType, digest, size } }) => ({ ...(label === undefined ? {} : { platform: label }), mediaType, digest, size })),
  });
}

/** What a child of an index is for: a platform, or what it describes an image with; undefined where it does not say. */
export function purposeOf({ descriptor, platform }: Pick<Walked, 'descriptor' | 'platform'>): string | undefined {
  const type = descriptor.annotations?.[annotationKeys.referenceType];
  return type ?? (platform === undefined ? undefined : formatPlatform(platform));
}

function unmetIn(all: readonly Walked[], root: Walked, choice: PlatformChoice): readonly Platform[] {
  if (choice === undefined || choice === 'all') return [];
  if (root.state === 'filtered') return choice;
  const images = all.filter(({ descriptor }) => describedBy(descriptor) === undefined);
  // Where nothing is said of platforms there is nothing to choose: an index of artifacts, or what cannot be read.
  if (!images.some(({ platform }) => platform !== undefined)) return [];
  return unmetPlatforms(choice, images.flatMap(({ platform, state }) => (platform === undefined || state === 'filtered' ? [] : [platform])));
}

function missingIn(all: readonly Walked[]): readonly { readonly label: string | undefined; readonly descriptor: Descriptor }[] {
  const told = new Set<string>();
  return all.flatMap((walked) => {
    if (told.has(walked.descriptor.digest) || (walked.state !== 'absent' && walked.state !== 'incomplete')) return [];
    told.add(walked.descriptor.digest);
    const blobs = walked.state === 'absent' ? [walked.descriptor] : walked.gaps.flatMap(({ why, descriptor }) => (why === 'absent' ? [descriptor] : []));
    const label = purposeOf(walked);
    return blobs.map((descriptor) => ({ label, descriptor }));
  });
}

function noPlatform(name: string, where: string, unmet: readonly Platform[], all: readonly Walked[], named: ErrorDetails): OciTarError {
  const images = all.filter(({ descriptor }) => describedBy(descriptor) === undefined && !isIndexType(descriptor.mediaType));
  const has = [...new Set(images.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)])))];
  return new OciTarError('NOT_FOUND', `${name} in ${where} has no manifest for ${unmet.map(formatPlatform).join(', ')}`, {
    ...named,
    hint: has.length === 0 ? 'It names no platforms.' : `It has ${has.join(', ')}.`,
  });
}
