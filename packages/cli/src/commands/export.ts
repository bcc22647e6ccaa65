import { existsSync } from 'node:fs';
import { exportImages, exportedImages, isOciTarError } from '@oci-tar/core';
import type { ImageStore, Location } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { dryRun, dryRunOptions, isDryRun } from '../dry-run.ts';
import { UsageError } from '../failure.ts';
import { compressOptions, compressionOf, flagOption, foreignOf, foreignOptions, platformOptions, platformsOf, referrerOptions, referrersOf, textOption } from '../options.ts';
import { noteGaps, noteReferrers, reportJson, reportText } from '../outcome.ts';
import { archiveOutput, checkOutput } from '../outputs.ts';
import { imageAt, isDirectory, isPathLike, jobsOf, openStore, placeOf, withSource } from '../places.ts';

export const command = defineCommand({
  spec: '<image..>',
  usage: '<image...> <out.tar|->',
  words: {
    image: 'Names in the local store, or images elsewhere: oci:DIR[:REF], docker://NAME and others (docs/places.md)',
    'out.tar': 'The archive to write; - is standard output',
  },
  options: {
    output: { ...textOption('The archive, instead of the last argument'), alias: 'o' },
    ...platformOptions,
    ...referrerOptions,
    ...foreignOptions,
    ...compressOptions,
    'skip-manifest-json': flagOption("Leaves docker's manifest.json out"),
    ...dryRunOptions,
  },
  examples: [
    ['oci-tar export hello:1 hello.tar', 'one image into a file, which appears whole or not at all'],
    ['oci-tar export hello:1 other:2 all.tar.zst', 'two images, compressed as the name says'],
    ['oci-tar export hello:1 - | ssh host ctr images import -', 'straight into another machine'],
    ['oci-tar export hello:1 -o arm.tar --platform linux/arm64', 'one platform of several'],
    ['oci-tar export hello:1 hello.tar --platform linux/arm64 --dry-run', 'what that would write, and whether it would work'],
    ['oci-tar export hello:1 hello.tar --referrers', 'with its signatures, attestations and SBOMs'],
  ],
  remarks: 'The archive is an OCI image layout with a manifest.json for docker: docker, podman, ctr and skopeo read it. The same images give the same bytes.',
  async run(words, options, context) {
    const { images, output } = await divided(words, options.output, context);
    const sink = archiveOutput(context, output);
    const compression = compressionOf(options, output);
    const places = images.map(placeOf);
    const wanted = { ...platformsOf(options), ...referrersOf(options), ...foreignOf(options) };
    if (isDryRun(options)) {
      if (typeof sink === 'string') checkOutput(sink);
      return withSource(context, commonPlace(places), async (source) => {
        const found = await exportedImages(source, await referencesOf(source, places));
        return dryRun({ source, images: found, json: { output }, ...wanted, verify: options.verify === true }, context);
      });
    }
    const report = await withSource(context, commonPlace(places), async (source) => {
      const references = await referencesOf(source, places);
      context.progress.start('exporting');
      return exportImages({
        source,
        references,
        output: sink,
        signal: context.signal,
        ...jobsOf(context),
        onEvent: (event) => context.progress.event(event),
        ...wanted,
        ...compression,
        ...(options['skip-manifest-json'] === true && { skipManifestJson: true }),
      });
    });
    noteGaps(context, report.gaps);
    noteReferrers(context, report);
    const where = typeof sink === 'string' ? `to ${sink}` : 'to standard output';
    return print(context, { json: { output, ...reportJson(report) }, text: reportText('exported', report, where) }, typeof sink === 'string' ? 'stdout' : 'stderr');
  },
});

/** Which words are images and which is the archive. */
async function divided(words: readonly string[], given: string | undefined, context: Context): Promise<{ readonly images: readonly string[]; readonly output: string }> {
  if (given !== undefined) {
    const [first = '', last = ''] = [words[0], words.at(-1)];
    if (!isPathLike(first) && isPathLike(last) && !existsSync(last)) throw new UsageError(`there are two archives to write, ${given} (--output) and ${last}`, `Write: oci-tar export ${words.slice(0, -1).join(' ')} -o ${given}`);
    return { images: words, output: given };
  }
  const [first = '', ...others] = words;
  const output = words.at(-1) ?? '';
  const images = words.slice(0, -1);
  if (others.length === 0) {
    throw isPathLike(first)
      ? new UsageError('no image was named', `Name it before the archive: oci-tar export IMAGE ${first}`)
      : new UsageError('no archive was named', `Name the file to write, or - for standard output: oci-tar export ${first} out.tar`);
  }
  if (isPathLike(output) || existsSync(output)) return { images, output };
  if (isPathLike(first) || isFile(first)) {
    throw new UsageError('the archive comes last here, after the images (in ctr it comes first)', `Write: oci-tar export ${others.join(' ')} ${first}`);
  }
  if (output.includes(':') || (await isImage(output, context))) {
    throw new UsageError(`${output} is an image, so no archive was named`, `Name the file to write: oci-tar export ${words.join(' ')} out.tar`);
  }
  return { images, output };
}

function isFile(path: string): boolean {
  return existsSync(path) && !isDirectory(path);
}

async function isImage(name: string, context: Context): Promise<boolean> {
  const store = await openStore(context);
  try {
    await store.resolve(name);
    return true;
  } catch (error) {
    if (isOciTarError(error)) return false;
    throw error;
  } finally {
    await store.close();
  }
}

/** The one place that all the images are in. */
function commonPlace(places: readonly Location[]): Location {
  const [first] = places;
  if (first === undefined) throw new UsageError('no image was named');
  const other = places.find(({ scheme, path }) => scheme !== first.scheme || path !== first.path);
  if (other !== undefined) throw new UsageError('the images are in different places', 'Copy them into the local store first: oci-tar copy SOURCE store:NAME');
  return first;
}

async function referencesOf(source: ImageStore, places: readonly Location[]): Promise<readonly string[]> {
  const references: string[] = [];
  for (const place of places) {
    const { name, descriptor } = await imageAt(source, place);
    references.push(place.reference ?? name ?? descriptor.digest);
  }
  return references;
}
