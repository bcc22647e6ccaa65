import { checkDockerArchive, copyImage, importStream, isFullReference, normalizeName, openDockerEngine, openTarget } from '@oci-tar/core';
import type { ImportRequest, Location, MoveReport, NameStyle, NamedImage } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { dryRun, dryRunOptions, isDryRun } from '../dry-run.ts';
import { UsageError } from '../failure.ts';
import { isArchive, isByFullName, nameAt, targetOf } from '../new-image.ts';
import { compressOptions, compressionOf, foreignOf, foreignOptions, platformOptions, platformsOf, referrerOptions, referrersOf } from '../options.ts';
import { noteGaps, noteReferrers, reportJson, reportText } from '../outcome.ts';
import { archiveOutput, checkOutput } from '../outputs.ts';
import { imageAt, imageWord, jobsOf, openOptions, placeOf, withSource } from '../places.ts';

export const command = defineCommand({
  spec: '<source> <target>',
  words: {
    source: imageWord,
    target: 'Where to, spelled in the same ways',
  },
  options: { ...platformOptions, ...referrerOptions, ...foreignOptions, ...compressOptions, ...dryRunOptions },
  examples: [
    ['oci-tar copy oci:layout:v1 store:hello:1', 'from an image layout directory into the local store'],
    ['oci-tar copy hello:1 oci-archive:out.tar:v1', 'into an archive, under the name v1, as skopeo spells it'],
    ['oci-tar copy hello:1 oci:layout:hello:1', 'into a directory, which is made where it is missing'],
    ['oci-tar copy hello:1 docker-archive:out.tar:hello:1', 'into an archive as docker save writes it'],
    ['oci-tar copy oci-archive:in.tar store:', 'the one image of an archive, under the name it has there'],
  ],
  remarks: 'A path ends at its first colon; what follows is the name. In directories and archives a name is spelled as it is given, and without one the image is listed without a name; in the local store names are full ones.',
  async run(words, options, context) {
    const [from = '', to = ''] = words;
    const target = targetOf(to, 'Use oci-tar export IMAGE -.');
    // An archive is made anew: before anything is opened, so that a terminal is refused at once.
    if (isArchive(target)) archiveOutput(context, target.path ?? '');
    const compression = compressionOf(options, target.path ?? '');
    if (compression.compression !== undefined && !isArchive(target)) throw new UsageError('only an archive is compressed as a whole');
    const source = placeOf(from);
    const wanted = { ...platformsOf(options), ...referrersOf(options), ...foreignOf(options) };
    if (isDryRun(options)) {
      return withSource(context, source, async (opened) => {
        const { descriptor, ...named } = await imageAt(opened, source);
        const { name } = nameIn(target, { descriptor, ...named }, source);
        const images = [name === undefined ? { descriptor } : { name, descriptor }];
        const request = { source: opened, images, json: { target: to }, ...wanted, verify: options.verify === true };
        if (isArchive(target)) {
          checkOutput(target.path ?? '');
          return dryRun(target.scheme === 'docker-archive' ? { ...request, check: checkDockerArchive } : request, context);
        }
        const place = await openTarget(target, openOptions(context));
        return dryRun({ ...request, target: place }, context).finally(() => place.close());
      });
    }
    const report = isPiped(source, target) ? await piped(source, target, wanted, context) : await withSource(context, source, async (opened) => {
      const image = await imageAt(opened, source);
      const { name, style } = nameIn(target, image, source);
      const place = await openTarget(target, { ...openOptions(context), style, ...compression });
      context.progress.start('copying');
      return copyImage({
        source: opened,
        target: place,
        image,
        name: name ?? null,
        signal: context.signal,
        ...jobsOf(context),
        onEvent: (event) => context.progress.event(event),
        ...wanted,
      }).finally(() => place.close());
    });
    noteGaps(context, report.gaps);
    noteReferrers(context, report);
    return print(context, { json: { target: to, ...reportJson(report) }, text: reportText('copied', report, `to ${to}`) });
  },
});

/** Whether the source hands its images out as one archive only, which the target takes as it comes: otherwise that waits in a temporary file. */
function isPiped(source: Location, target: Location): boolean {
  return source.scheme === 'docker-daemon' && source.reference !== undefined && target.scheme === 'store';
}

async function piped({ reference = '' }: Location, target: Location, wanted: Partial<ImportRequest>, context: Context): Promise<MoveReport> {
  const engine = await openDockerEngine(openOptions(context));
  const place = await openTarget(target, openOptions(context));
  context.progress.start('copying');
  try {
    const name = normalizeName(target.reference ?? reference);
    return await importStream(engine.save([normalizeName(reference)]), { target: place, name, signal: context.signal, onEvent: (event) => context.progress.event(event), ...wanted });
  } finally {
    await place.close();
    await engine.close();
  }
}

/** What the image is called at its target; undefined for an entry without a name. */
function nameIn(target: Location, image: NamedImage, source: Location): { readonly name: string | undefined; readonly style: NameStyle } {
  if (!isByFullName(target)) return nameAt(target);
  const place = target.scheme === 'store' ? 'the local store' : target.scheme === 'containerd' ? 'containerd' : 'docker';
  const name = target.reference ?? image.name;
  if (name === undefined) throw new UsageError(`the image has no name, so ${place} needs one`, `Write it after the colon: ${target.scheme}:NAME`);
  // skopeo and umoci call an image by its tag alone: completed, that would name some other image.
  if (target.reference === undefined && !isByFullName(source) && !isFullReference(name)) {
    throw new UsageError(`the image is only called ${name}, so ${place} needs its whole name`, `Write it after the colon, such as ${target.scheme}:example.org/app:${name}`);
  }
  return { name: normalizeName(name), style: 'plain' };
}
