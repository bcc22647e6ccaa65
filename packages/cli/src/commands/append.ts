import { appendLayers, codecByName, formatPlatform } from '@oci-tar/core';
import type { AppendReport } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import { UsageError } from '../failure.ts';
import { layersOf } from '../layer-words.ts';
import { newImageAt, newImageText, remake } from '../new-image.ts';
import { compressOptions, levelOf, platformOptions, platformsOf, textOption, textsOption } from '../options.ts';
import { imageJson, noteGaps } from '../outcome.ts';
import { imageWord } from '../places.ts';
import { counted } from '../style.ts';
import { createdSeconds } from '../values.ts';

export const command = defineCommand({
  spec: '<image> <target> [layer..]',
  words: { image: imageWord, target: 'The new image: a name in the local store (where it is taken, it moves), or where to, spelled as for copy', layer: 'A directory, a tar file (plain, gzip or zstd), or - for a tar on standard input; the lowest first' },
  options: {
    layer: textsOption('The same as a flag, before those that follow the names (repeatable)'),
    whiteout: textsOption('A path that is taken away from the image, below all new layers (repeatable)'),
    opaque: textsOption('A directory whose contents are taken away (repeatable)'),
    'created-by': textOption('The command in the history of each new layer; oci-tar append by default'),
    comment: textOption('A comment in the history of each new layer'),
    created: textOption('RFC 3339 or seconds since 1970, as for create. By default SOURCE_DATE_EPOCH, or else 0 in the history and the image keeps its date'),
    platform: { ...platformOptions.platform },
    'all-platforms': { ...platformOptions['all-platforms'] },
    ...compressOptions,
    compress: { ...compressOptions.compress, describe: "How layers are compressed that are not yet: gzip, zstd or none; by default as the image's last layer" },
  },
  examples: [
    ['oci-tar append hello:1 hello:2 --layer app', 'puts the files of a directory on top'],
    ['tar -c app | oci-tar append oci-archive:base.tar hello:2 -', 'a tar on standard input, on an image in an archive'],
    ['oci-tar append hello:1 hello:2 --whiteout /hello.sh', 'takes a file away'],
    ['oci-tar append oci-archive:base.tar:hello:1 oci-archive:app.tar:hello:2 app', 'out of an archive into another'],
  ],
  remarks: 'The layers below stay as they are. Of an image for several platforms all get the new layers, unless --platform says which. The same files on the same image give the same image.',
  async run([word = '', to = '', ...more], options, context) {
    const { whiteout, opaque, comment, 'created-by': createdBy } = options;
    const given = [...(options.layer ?? []), ...more];
    if (given.length + (whiteout?.length ?? 0) + (opaque?.length ?? 0) === 0) throw new UsageError('there is nothing to append', 'Add --layer DIRECTORY, --layer FILE.tar or --whiteout PATH.');
    const layers = layersOf(given, context);
    const codec = options.compress === undefined ? undefined : codecByName(options.compress);
    if (codec?.name === 'none' && options.level !== undefined) throw new UsageError('--level says how hard to compress, but --compress is none');
    const dated = options.created !== undefined || (context.io.env['SOURCE_DATE_EPOCH'] ?? '') !== '';
    const made = newImageAt(context, to, 'Append into the store, then use oci-tar export IMAGE -.');
    const report = await remake(context, word, made, 'appending', (request) =>
      appendLayers({
        ...request,
        layers,
        ...(whiteout === undefined ? {} : { whiteouts: whiteout }),
        ...(opaque === undefined ? {} : { opaque }),
        ...(codec === undefined ? {} : { codec }),
        ...levelOf(options),
        ...(createdBy === undefined ? {} : { createdBy }),
        ...(comment === undefined ? {} : { comment }),
        ...(dated ? { created: createdSeconds(options.created, context.io.env) } : {}),
        ...platformsOf({ ...options, 'rewrite-index': undefined }),
        onRead: (bytes) => context.progress.add(bytes),
        onSkip: ({ path, why }) => note(context, `left out: ${path} (${why})`),
      }),
    );
    noteGaps(context, report.gaps);
    await print(context, { json: reportJson(report, to), text: reportText(report), names: [report.image.descriptor.digest] });
  },
});

function reportJson({ image, from, manifests, layers }: AppendReport, target: string): object {
  return {
    target,
    ...imageJson(image),
    from: from.digest,
    layers,
    manifests: manifests.map(({ platform, from, to }) => ({ platform: formatPlatform(platform), from: from.digest, digest: to.digest })),
  };
}

function reportText({ image, manifests, layers }: AppendReport): string {
  const platforms = manifests.length < 2 ? '' : ` for ${manifests.map(({ platform }) => formatPlatform(platform)).join(', ')}`;
  return `${newImageText(image)}appended ${counted(layers.length, 'layer')}${platforms}\n`;
}
