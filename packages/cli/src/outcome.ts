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

export function reportJson({ images, blobs, bytes, gaps }: MoveReport): object {
  return {
    images: images.map(imageJson),
    blobs,
    bytes,
    leftOut: gaps.map(({ descriptor: { digest, mediaType, size, platform }, why }) => ({ digest, mediaType, size, ...(platform === undefined ? {} : { platform: formatPlatform(platform) }), why })),
  };
}

/** One line an image, then what moved in all. */
export function reportText(did: string, { images, blobs, bytes }: MoveReport, where: string): string {
  const lines = images.map(({ name, descriptor }) => `${name === undefined ? '<none>' : familiar(name)}  ${descriptor.digest}\n`).join('');
  return `${lines}${did} ${counted(images.length, 'image')} ${where}: ${counted(blobs, 'blob')}, ${formatSize(bytes)}\n`;
}

const reasons: readonly (readonly [why: Gap['why'], text: string])[] = [
  ['filtered', 'left out, as asked'],
  ['absent', 'left out, since the source does not have it'],
  ['foreign', 'left where its URLs point, as it must not be redistributed'],
];

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

function gapName({ descriptor: { platform, annotations, mediaType, digest } }: Gap): string {
  const type = annotations?.[annotationKeys.referenceType];
  if (type !== undefined) return `${type} ${shortDigest(digest)}`;
  return platform === undefined ? `${mediaType} ${shortDigest(digest)}` : formatPlatform(platform);
}
