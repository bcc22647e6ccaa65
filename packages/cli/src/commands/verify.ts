import { formatPlatform, isOciTarError, makePlan, shortDigest, verifyImages } from '@oci-tar/core';
import type { ImageStore, NamedImage, VerifyReport } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError, exitStatus } from '../failure.ts';
import { flagOption } from '../options.ts';
import { familiar } from '../outcome.ts';
import { imagesAt, placeOf, withSource } from '../places.ts';
import { counted, formatSize, shown } from '../style.ts';

export const command = defineCommand({
  spec: '[place..]',
  words: { place: 'Names and places (hello:1, out.tar, ./layout, docker://NAME and others, see docs/places.md); the whole local store by default' },
  options: {
    all: flagOption('Also blobs that belong to no image, where whole places are checked'),
    repair: flagOption('Remove damaged blobs from a store, so that importing the image again brings them back'),
  },
  examples: [
    ['oci-tar verify', 'every image in the local store'],
    ['oci-tar verify --all', 'and the blobs that no image needs, which a later import may need'],
    ['oci-tar verify out.tar', 'an archive, without importing it'],
    ['oci-tar verify hello:1 oci:layout:v1', 'single images'],
  ],
  remarks: 'Reads every blob once: its digest and size, that everything referred to is there, and that each layer unpacks to the diffID in the config. Exit status 4 when something is wrong.',
  async run(words, options, context) {
    const results: PlaceReport[] = [];
    for (const word of words.length === 0 ? ['store:'] : words) results.push(await verified(word, options, context));
    const sound = results.every(({ report }) => problemsIn(report) === 0);
    await print(context, { json: { ok: sound, places: results.map(jsonOf) }, text: results.map((result) => textOf(result, context)).join('') });
    return sound ? exitStatus.ok : exitStatus.damaged;
  },
});

interface PlaceReport {
  readonly place: string;
  readonly report: VerifyReport;
  /** Damaged blobs that were removed. */
  readonly discarded: readonly string[];
}

async function verified(word: string, options: { readonly all?: boolean | undefined; readonly repair?: boolean | undefined }, context: Context): Promise<PlaceReport> {
  const place = placeOf(word);
  return withSource(context, place, async (source) => {
    const images = await imagesAt(source, place);
    context.progress.start('verifying', await totalOf(source, images, context));
    const report = await verifyImages(source, images, {
      signal: context.signal,
      onBytes: (count) => context.progress.add(count),
      // Of a place with one image picked out, all other blobs would seem to be needed by none.
      unreferenced: options.all === true && place.reference === undefined,
    });
    if (report.absent.length > 0) {
      const names = report.absent.map(({ platform, digest }) => (platform === undefined ? shortDigest(digest) : formatPlatform(platform)));
      note(context, `not here, which is no fault: ${names.slice(0, 8).join(', ')}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`);
    }
    return { place: word === 'store:' ? context.store : word, report, discarded: options.repair === true ? await repair(source, report) : [] };
  });
}

async function repair(source: ImageStore, { problems, unreferenced }: VerifyReport): Promise<readonly string[]> {
  if (source.discardDamaged === undefined) throw new UsageError(`${source.name} cannot be repaired: it is not changed here`, 'Get the archive again.');
  const suspects = new Set([...problems, ...(unreferenced?.problems ?? [])].map(({ descriptor }) => descriptor.digest));
  const discarded: string[] = [];
  for (const digest of suspects) if (await source.discardDamaged({ digest })) discarded.push(digest);
  return discarded;
}

function problemsIn({ problems, unreferenced }: VerifyReport): number {
  return problems.length + (unreferenced?.problems.length ?? 0);
}

/** How much there is to read; unknown where an image is not whole, which the verification will find. */
async function totalOf(source: ImageStore, images: readonly NamedImage[], context: Context): Promise<number | undefined> {
  try {
    return (await makePlan(source, images, { signal: context.signal })).size;
  } catch (error) {
    if (isOciTarError(error)) return undefined;
    throw error;
  }
}

function jsonOf({ place, discarded, report: { images, blobs, bytes, absent, problems, unreferenced } }: PlaceReport): object {
  return {
    place,
    images,
    blobs,
    bytes,
    absent: absent.map(({ digest, platform }) => ({ digest, ...(platform === undefined ? {} : { platform: formatPlatform(platform) }) })),
    problems: problems.map(({ image, descriptor, code, message }) => ({ image, digest: descriptor.digest, mediaType: descriptor.mediaType, code, message })),
    ...(discarded.length === 0 ? {} : { discarded }),
    ...(unreferenced === undefined
      ? {}
      : { unreferenced: { blobs: unreferenced.blobs, bytes: unreferenced.bytes, problems: unreferenced.problems.map(({ descriptor, code, message }) => ({ digest: descriptor.digest, code, message })) } }),
  };
}

function textOf({ place, report, discarded }: PlaceReport, { style }: Context): string {
  const { images, blobs, bytes, problems, unreferenced } = report;
  const all = problemsIn(report);
  const lines = problems.map(({ image, code, message }) => `  ${style('red', code)} ${shown(familiar(image))}: ${shown(message)}\n`).join('');
  const verdict = all === 0 ? style('green', 'ok') : style('red', counted(all, 'problem'));
  const others = unreferenced === undefined ? '' : `  ${counted(unreferenced.blobs, 'blob')} of no image, ${formatSize(unreferenced.bytes)}${unreferenced.problems.length === 0 ? '' : '; oci-tar prune removes them'}\n`;
  const damaged = (unreferenced?.problems ?? []).map(({ code, message }) => `  ${style('red', code)} of no image: ${shown(message)}\n`).join('');
  const repaired = discarded.length === 0 ? '' : `  removed ${counted(discarded.length, 'damaged blob')}: import the image again to get it back\n`;
  return `${place}: ${verdict} (${counted(images, 'image')}, ${counted(blobs, 'blob')}, ${formatSize(bytes)})\n${lines}${others}${damaged}${repaired}`;
}
