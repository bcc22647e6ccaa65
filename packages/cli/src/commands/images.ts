import { formatPlatform, isListedReferrer, isOciTarError, makePlan, parseConfig, platformOf, readBlob, readDocument, shortDigest } from '@oci-tar/core';
import type { ImageStore, NamedImage, Plan, Platform } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { flagOption } from '../options.ts';
import { displayName, familiar, imageJson } from '../outcome.ts';
import { imagesAt, placeOf, withSource } from '../places.ts';
import { formatSize, shown, table } from '../style.ts';

export const command = defineCommand({
  spec: '[place]',
  words: { place: 'An archive, a directory or a store (out.tar, ./layout, containerd: and others, see docs/places.md); the local store by default' },
  options: { digests: flagOption('Whole digests') },
  examples: [
    ['oci-tar images', 'what is in the local store'],
    ['oci-tar images out.tar', 'what is in an archive'],
    ['oci-tar images -q', 'only the names, for scripts'],
  ],
  remarks: 'SIZE is what an archive of the image would hold. A plain path to an archive is understood as oci-archive:PATH, one to a directory (./layout) as oci:PATH, or as dir:PATH where it is such a one.',
  async run(words, options, context) {
    const [word] = words;
    const place = word === undefined ? { scheme: 'store' as const } : placeOf(word);
    const rows = await withSource(context, place, async (source) => {
      const found: Row[] = [];
      for (const image of await imagesAt(source, place)) {
        if (place.reference !== undefined || !isListedReferrer(image)) found.push(await rowOf(source, image, context));
      }
      return found.sort((a, b) => compare(displayName(a.image), displayName(b.image)));
    });
    await print(context, {
      json: rows.map(({ image, platforms, size, problem }) => ({ ...imageJson(image), platforms, ...(size === undefined ? { problem } : { totalSize: size }) })),
      text: rows.length === 0 ? `no images in ${word ?? context.store}\n` : listText(rows, options.digests === true, context),
      names: rows.map(({ image }) => displayName(image)),
    });
  },
});

interface Row {
  readonly image: NamedImage;
  readonly platforms: readonly string[];
  /** Bytes of everything that is here of the image; absent where the image is not whole. */
  readonly size?: number;
  readonly problem?: string;
}

async function rowOf(source: ImageStore, image: NamedImage, context: Context): Promise<Row> {
  if (context.quiet && !context.json) return { image, platforms: [] };
  try {
    const plan = await makePlan(source, [image], { signal: context.signal });
    return { image, platforms: (await platformsIn(source, image, plan)).map(formatPlatform), size: plan.size };
  } catch (error) {
    // One broken image must not hide the others.
    if (!isOciTarError(error)) throw error;
    return { image, platforms: [], problem: error.message };
  }
}

/** The platforms that are here; of an image without an index the one in its config. */
async function platformsIn(source: ImageStore, { descriptor }: NamedImage, plan: Plan): Promise<readonly Platform[]> {
  const role = plan.contents.get(descriptor.digest)?.role;
  // A docker engine lists configs, of which only the size is known.
  if (role !== 'index' && role !== 'manifest') return [];
  const document = await readDocument(source, descriptor);
  if (document?.kind === 'index') {
    return document.index.manifests.flatMap(({ digest, platform }) => (platform === undefined || platform.os === 'unknown' || !plan.contents.has(digest) ? [] : [platform]));
  }
  if (document === undefined) return [];
  try {
    return [platformOf(parseConfig(await readBlob(source, document.manifest.config)))];
  } catch (error) {
    // An artifact's config says nothing of platforms.
    if (isOciTarError(error)) return [];
    throw error;
  }
}

function listText(rows: readonly Row[], whole: boolean, context: Context): string {
  const [head = '', ...lines] = table([
    ['NAME', 'DIGEST', 'PLATFORMS', 'SIZE'],
    ...rows.map(({ image, platforms, size }) => [
      image.name === undefined ? '<none>' : shown(familiar(image.name)),
      whole ? image.descriptor.digest : shortDigest(image.descriptor.digest),
      shown(summed(platforms)),
      size === undefined ? 'incomplete' : formatSize(size),
    ]),
  ]).split(/^/m);
  return context.style('bold', head) + lines.join('');
}

function summed(platforms: readonly string[]): string {
  const names = [...new Set(platforms)];
  if (names.length === 0) return '-';
  return names.length > 3 ? `${names.slice(0, 3).join(', ')}, +${names.length - 3}` : names.join(', ');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
