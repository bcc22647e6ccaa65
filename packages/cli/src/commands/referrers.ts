import { parsePlatform } from '@oci-tar/core';
import type { Annotations } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { hostPlatform, referrerLimitOptions, referrersOf, textOption } from '../options.ts';
import { displayName, imageJson } from '../outcome.ts';
import { imageAt, imageWord, placeOf, withSource } from '../places.ts';
import { referrerReport } from '../referrer-report.ts';
import type { ReferrerItem, ReferrerReport, ReferrerSection } from '../referrer-report.ts';
import { formatSize, shown } from '../style.ts';

export const command = defineCommand({
  spec: '<image>',
  words: { image: imageWord },
  options: { platform: textOption('Only this platform of the image'), ...referrerLimitOptions },
  examples: [
    ['oci-tar referrers hello:1', 'signatures, attestations and SBOMs of the image and of each of its platforms'],
    ['oci-tar referrers hello.tar --json', 'those in an archive, for programs'],
    ['oci-tar referrers oci:layout:v1 --platform linux/arm64', 'of one platform'],
  ],
  remarks: 'Found by the subject that a manifest states, by containerd\'s annotation, by the tag sha256-<digest>, and by cosign\'s tags. What is found is listed, not judged: no signature is checked.',
  async run([word = ''], options, context) {
    const place = placeOf(word);
    const platform = options.platform === undefined ? {} : { platform: parsePlatform(options.platform, hostPlatform()) };
    await withSource(context, place, async (source) => {
      const report = await referrerReport(source, await imageAt(source, place), { signal: context.signal, ...platform, ...referrersOf(options) });
      await print(context, { json: jsonOf(report), text: textOf(report, context), names: report.sections.flatMap(({ referrers }) => digestsOf(referrers)) });
    });
  },
});

function digestsOf(items: readonly ReferrerItem[]): readonly string[] {
  return items.flatMap(({ descriptor, referrers }) => [descriptor.digest, ...digestsOf(referrers)]);
}

function jsonOf({ image, sections }: ReferrerReport): object {
  const [whole, ...manifests] = sections;
  return {
    ...imageJson(image),
    referrers: (whole?.referrers ?? []).map(itemJson),
    manifests: manifests.map(({ descriptor, purpose, referrers }) => ({ digest: descriptor.digest, mediaType: descriptor.mediaType, size: descriptor.size, purpose, referrers: referrers.map(itemJson) })),
  };
}

function itemJson({ descriptor, type, totalSize, inIndex, referrers }: ReferrerItem): object {
  const { digest, mediaType, size, annotations } = descriptor;
  return {
    digest,
    mediaType,
    size,
    artifactType: type,
    ...(totalSize === undefined ? { incomplete: true } : { totalSize }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(inIndex ? { inIndex } : {}),
    referrers: referrers.map(itemJson),
  };
}

function textOf({ image, sections }: ReferrerReport, context: Context): string {
  const name = displayName(image);
  const told = sections.filter(({ referrers }, position) => position === 0 || referrers.length > 0);
  const nothing = sections.every(({ referrers }) => referrers.length === 0) ? `nothing here refers to ${shown(name)}\n` : '';
  return told.map((section) => sectionText(section, name, context)).join('') + nothing;
}

function sectionText({ descriptor, purpose, referrers }: ReferrerSection, name: string, { style }: Context): string {
  return `${style('bold', shown(purpose ?? name))}  ${descriptor.digest}\n${treeText(referrers, '')}`;
}

function treeText(items: readonly ReferrerItem[], indent: string): string {
  return items
    .map((item, position) => {
      const last = position === items.length - 1;
      const { descriptor, type, totalSize, inIndex, referrers } = item;
      const size = totalSize === undefined ? 'incomplete' : formatSize(totalSize);
      const line = [type, descriptor.digest, size, ...(inIndex ? ['in the index'] : annotationTexts(descriptor.annotations))].join('  ');
      return `${indent}${last ? '└─' : '├─'} ${shown(line).replaceAll('\n', '\\x0a')}\n${treeText(referrers, `${indent}${last ? '   ' : '│  '}`)}`;
    })
    .join('');
}

/** A longer value (a whole certificate) is for --json. */
const longest = 80;

function annotationTexts(annotations: Annotations = {}): readonly string[] {
  return Object.entries(annotations).flatMap(([key, value]) => (value.length > longest || /\s/.test(value) ? [] : [`${key.replace(/^org\.opencontainers\.image\./, '')}=${value}`]));
}
