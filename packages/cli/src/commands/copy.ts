import { copyImage, isFullReference, normalizeName, openTarget, parseLocation } from '@oci-tar/core';
import type { Location, NameStyle, NamedImage } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import { UsageError } from '../failure.ts';
import { compressOptions, compressionOf, platformOptions, platformsOf } from '../options.ts';
import { noteGaps, reportJson, reportText } from '../outcome.ts';
import { archiveOutput } from '../outputs.ts';
import { imageAt, placeOf, withSource } from '../places.ts';

export const command = defineCommand({
  spec: '<source> <target>',
  words: {
    source: 'A name in the local store, or oci:DIR[:REF], oci-archive:FILE[:REF], store:NAME',
    target: 'Where to, spelled in the same ways',
  },
  options: { ...platformOptions, ...compressOptions },
  examples: [
    ['oci-tar copy oci:layout:v1 store:hello:1', 'from an image layout directory into the local store'],
    ['oci-tar copy hello:1 oci-archive:out.tar:v1', 'into an archive, under the name v1, as skopeo spells it'],
    ['oci-tar copy hello:1 oci:layout:hello:1', 'into a directory, which is made where it is missing'],
    ['oci-tar copy oci-archive:in.tar store:', 'the one image of an archive, under the name it has there'],
  ],
  remarks: 'A path ends at its first colon; what follows is the name. In directories and archives a name is spelled as it is given, and without one the image is listed without a name; in the local store names are full ones.',
  async run(words, options, context) {
    const [from = '', to = ''] = words;
    const target = targetOf(to);
    // An archive is made anew: before anything is opened, so that a terminal is refused at once.
    if (target.scheme === 'oci-archive') archiveOutput(context, target.path ?? '');
    const compression = compressionOf(options, target.path ?? '');
    if (compression.compression !== undefined && target.scheme !== 'oci-archive') throw new UsageError('only an archive is compressed as a whole');
    const source = placeOf(from);
    const report = await withSource(context, source, async (opened) => {
      const image = await imageAt(opened, source);
      const { name, style } = nameIn(target, image, source);
      const place = await openTarget(target, { store: context.store, signal: context.signal, style, ...compression });
      context.progress.start('copying');
      return copyImage({
        source: opened,
        target: place,
        reference: source.reference ?? image.name ?? image.descriptor.digest,
        name: name ?? null,
        signal: context.signal,
        onEvent: (event) => context.progress.event(event),
        ...platformsOf(options),
      }).finally(() => place.close());
    });
    noteGaps(context, report.gaps);
    await print(context, { json: { target: to, ...reportJson(report) }, text: reportText('copied', report, `to ${to}`) });
  },
});

function targetOf(word: string): Location {
  if (word === '-') throw new UsageError('copy does not write to standard output', 'Use oci-tar export IMAGE -.');
  return word.includes(':') ? parseLocation(word) : placeOf(word);
}

/** What the image is called at its target; undefined for an entry without a name. */
function nameIn(target: Location, image: NamedImage, source: Location): { readonly name: string | undefined; readonly style: NameStyle } {
  if (target.scheme !== 'store') {
    const { reference } = target;
    const asArchive = target.scheme === 'oci-archive' && reference !== undefined && isFullReference(reference);
    return asArchive ? { name: normalizeName(reference), style: 'archive' } : { name: reference, style: 'plain' };
  }
  const name = target.reference ?? image.name;
  if (name === undefined) throw new UsageError('the image has no name, so the local store needs one', 'Write it after the colon: store:NAME');
  // skopeo and umoci call an image by its tag alone: completed, that would name some other image.
  if (target.reference === undefined && source.scheme !== 'store' && !isFullReference(name)) {
    throw new UsageError(`the image is only called ${name}, so the local store needs its whole name`, `Write it after the colon, such as store:example.org/app:${name}`);
  }
  return { name: normalizeName(name), style: 'plain' };
}
