import { annotationKeys, formatPlatform } from '@oci-tar/core';
import type { Descriptor, PreflightCount, PreflightImage, PreflightPart, PreflightReport } from '@oci-tar/core';
import type { Context } from './context.ts';
import type { Failure } from './failure.ts';
import { displayName, imageJson, rewrittenJson } from './outcome.ts';
import { counted, formatSize, shown, table } from './style.ts';

/** What a dry run found, for people: each image, each of its parts, what is missing or damaged of them, and the verdict. */
export function preflightText({ images, moving, there, rewritten }: PreflightReport, failure: Failure | undefined, { style }: Context): string {
  const lines = images.map((image) => {
    const to = rewritten.find(({ name, from }) => name === image.name && from.digest === image.descriptor.digest)?.to;
    return `${style('bold', image.name === undefined ? '<none>' : shown(displayName(image)))}  ${image.descriptor.digest}  ${image.state}\n${to === undefined ? '' : `  with a smaller index: ${to.digest}\n`}${partsText(image)}`;
  });
  const [first = '', ...others] = (failure?.report?.message ?? '').split('\n');
  const reason = others.length === 0 ? first : `${first} (all of it above)`;
  const verdict =
    failure === undefined
      ? `${style('green', 'ok')}: ${countText(moving)} to write, ${countText(there)} there already`
      : `${style('red', `would end with status ${failure.status}`)}: ${shown(reason)}${failure.report?.hint === undefined ? '' : `\n  ${shown(failure.report.hint)}`}`;
  return `${lines.join('')}${verdict}\n`;
}

function partsText({ parts }: PreflightImage): string {
  const heads = table(parts.map((part) => ['', purposeOf(part), part.state, summaryOf(part)])).split(/^/m);
  return parts.map((part, position) => shown(heads[position] ?? '') + blobsText(part)).join('');
}

function summaryOf({ state, here, absent, foreign }: PreflightPart): string {
  if (state === 'filtered' || state === 'orphaned') return '';
  const sum = (blobs: readonly Descriptor[]) => countText({ blobs: blobs.length, bytes: blobs.reduce((bytes, { size }) => bytes + size, 0) });
  const facts = [
    ...(here.blobs === 0 ? [] : [countText(here)]),
    ...(absent.length === 0 ? [] : [`lacks ${sum(absent)}`]),
    ...(foreign.length === 0 ? [] : [`${sum(foreign)} left where the URLs point`]),
  ];
  return facts.join('; ');
}

function blobsText({ absent, foreign, corrupt }: PreflightPart): string {
  const row = ({ mediaType, digest, size }: Descriptor, what: string) => ['     ', what, digest, formatSize(size), mediaType];
  const rows = [...absent.map((blob) => row(blob, 'absent')), ...foreign.map((blob) => row(blob, 'foreign'))];
  return shown(table(rows) + corrupt.map(({ descriptor, code, message }) => `      ${code} ${descriptor.digest}: ${message}\n`).join(''));
}

function purposeOf({ descriptor, platforms }: PreflightPart): string {
  const type = descriptor.annotations?.[annotationKeys.referenceType];
  if (type !== undefined) return type;
  return platforms.length === 0 ? descriptor.mediaType : platforms.map(formatPlatform).join(', ');
}

function countText({ blobs, bytes }: PreflightCount): string {
  return `${counted(blobs, 'blob')}, ${formatSize(bytes)}`;
}

/** The same for programs. */
export function preflightJson({ images, moving, there, rewritten }: PreflightReport): object {
  return {
    images: images.map((image) => ({ ...imageJson(image), state: image.state, parts: image.parts.map(partJson) })),
    moving,
    there,
    ...rewrittenJson(rewritten),
  };
}

function partJson(part: PreflightPart): object {
  const { descriptor, platforms, state, here, absent, foreign, corrupt } = part;
  return {
    ...blobJson(descriptor),
    purpose: purposeOf(part),
    platforms: platforms.map(formatPlatform),
    state,
    here,
    absent: absent.map(blobJson),
    foreign: foreign.map((layer) => ({ ...blobJson(layer), urls: layer.urls ?? [] })),
    corrupt: corrupt.map(({ descriptor: blob, code, message }) => ({ ...blobJson(blob), code, message })),
  };
}

function blobJson({ digest, mediaType, size }: Descriptor): object {
  return { digest, mediaType, size };
}
