import { annotationKeys, familiarReference, formatPlatform, isReference, shortDigest } from '@oci-tar/core';
import type { Gap, MoveReport, NamedImage } from '@oci-tar/core';
import { note } from './context.ts';
import type { Context } from './context.ts';
import { counted, formatSize } from './style.ts';

/** The name as people write it. What is no reference (a bare tag of another tool) stays as it is. */
export function familiar(name: string): string {
  return isReference(name) ? familiarReference(name) : name;
}

export function displayName({ name, descriptor }: NamedImage): string {
  return name === undefined ? descriptor.digest : familiar(name);
}

export function imageJson({ name, descriptor }: NamedImage): object {
  const { digest, mediaType, size } = descriptor;
  return { ...(name === undefined ? {} : { name }), digest, mediaType, size };
}

export function reportJson({ images, blobs, bytes, gaps, referrers, referrersLeft, rewritten }: MoveReport): object {
  return {
    images: images.map(imageJson),
    blobs,
    bytes,
    ...(referrers.length === 0 ? {} : { referrers: referrers.map((image) => ({ ...imageJson(image), subject: image.descriptor.annotations?.[annotationKeys.manifestSubject] })) }),
    ...(referrersLeft === 0 ? {} : { referrersLeft }),
    leftOut: gaps.map(({ descriptor: { digest, mediaType, size, platform }, why }) => ({ digest, mediaType, size, ...(platform === undefined ? {} : { platform: formatPlatform(platform) }), why })),
    ...rewrittenJson(rewritten),
  };
}

export function rewrittenJson(rewritten: MoveReport['rewritten']): object {
  return rewritten.length === 0 ? {} : { rewritten: rewritten.map(({ name, from, to }) => ({ ...(name === undefined ? {} : { name }), from: from.digest, to: to.digest })) };
}

/** One line an image, then what moved in all. */
export function reportText(did: string, { images, blobs, bytes, referrers, rewritten }: MoveReport, where: string): string {
  const more = referrers.length === 0 ? '' : ` and ${counted(referrers.length, 'referrer')}`;
  const was = new Map(rewritten.map(({ name, from, to }) => [`${name} ${to.digest}`, `, a smaller index than ${from.digest}`]));
  const lines = images.map(({ name, descriptor: { digest } }) => `${name === undefined ? '<none>' : familiar(name)}  ${digest}${was.get(`${name} ${digest}`) ?? ''}\n`).join('');
  return `${lines}${did} ${counted(images.length, 'image')}${more} ${where}: ${counted(blobs, 'blob')}, ${formatSize(bytes)}\n`;
}

const reasons: readonly (readonly [why: Gap['why'], text: string])[] = [
  ['filtered', 'left out, as asked'],
  ['absent', 'left out, since the source does not have it'],
  ['foreign', 'left where its URLs point, as it must not be redistributed'],
  ['orphaned', 'left out, since the image that it describes is'],
];

/** Says what refers to the images and was left behind by a move that did not ask for it. */
export function noteReferrers(context: Context, { referrersLeft }: MoveReport): void {
  if (referrersLeft === 0) return;
  note(context, `left behind: at least ${counted(referrersLeft, 'referrer')} (signatures, attestations, SBOMs); --referrers takes ${referrersLeft === 1 ? 'it' : 'them'} along`);
}

/** More than this is summed up. */
const mostNamed = 8;

/** Says what the images refer to and was left out. */
export function noteGaps(context: Context, gaps: readonly Gap[]): void {
  for (const [why, text] of reasons) {
    const names = [...new Set(gaps.filter((gap) => gap.why === why).map(gapName))];
    if (names.length === 0) continue;
    const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
    note(context, `${text}: ${names.slice(0, mostNamed).join(', ')}${more}`);
  }
}

function gapName({ descriptor, parent }: Gap): string {
  const { platform, annotations, mediaType, digest } = descriptor;
  const type = annotations?.[annotationKeys.referenceType];
  if (type !== undefined) return `${type} ${shortDigest(digest)}`;
  if (platform !== undefined) return formatPlatform(platform);
  const blob = `${mediaType} ${shortDigest(digest)}`;
  return parent.platform === undefined ? blob : `${formatPlatform(parent.platform)} (${blob})`;
}
