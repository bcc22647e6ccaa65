import { codecByName, counted, flattenImage, formatPlatform, mergedTar, openOutput } from '@oci-tar/core';
import type { ByteSink, ByteStream, FlattenReport, MergeChoice } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { lookAt } from '../looking.ts';
import { newImageAt, newImageText, remake } from '../new-image.ts';
import { compressOptions, flagOption, levelOf, platformOptions, platformsOf, referrerOptions, referrersOf, textOption } from '../options.ts';
import { imageJson, noteGaps } from '../outcome.ts';
import { archiveOutput } from '../outputs.ts';
import { imageWord, jobsOf, placeOf, withSource } from '../places.ts';
import { counted as countedText, formatSize } from '../style.ts';
import { createdSeconds } from '../values.ts';

export const command = defineCommand({
  spec: '<image> [target]',
  usage: '<image> <new-name>\n       oci-tar flatten <image> --tar [-o FILE]',
  words: {
    image: imageWord,
    target: 'The new image: a name in the local store, or where to, spelled as for copy',
  },
  options: {
    tar: flagOption('Writes the merged root filesystem as a plain tar instead of an image'),
    output: { ...textOption('With --tar: the file to write; standard output by default'), alias: 'o' },
    'keep-base': textOption('Keeps so many of the lowest layers as they are and merges those above'),
    created: textOption('RFC 3339 or seconds since 1970: of the new image. By default SOURCE_DATE_EPOCH, or else the image keeps its date'),
    'created-by': textOption('The command in the history of the new layer; oci-tar flatten by default'),
    'last-duplicate': flagOption('Of a path that a layer has twice the last one counts, instead of an error'),
    'drop-dangling': flagOption('Leaves hardlinks to nothing out, instead of an error'),
    platform: { ...platformOptions.platform },
    'all-platforms': { ...platformOptions['all-platforms'] },
    ...referrerOptions,
    referrers: flagOption('Takes along copies of what refers to the image, which refer to the new one; a signature in them is still one of the old'),
    ...compressOptions,
    compress: { ...compressOptions.compress, describe: "How the new layer is compressed: gzip, zstd or none; by default as the image's last layer" },
  },
  examples: [
    ['oci-tar flatten app:1 app:flat', 'one layer out of all'],
    ['oci-tar flatten app:1 app:2 --keep-base 1', 'merges what is above the first layer'],
    ['oci-tar flatten app:1 --tar | tar -t', 'the root filesystem as a tar'],
    ['oci-tar flatten oci-archive:app.tar oci-archive:flat.tar:app:flat --compress zstd', 'out of an archive into another'],
  ],
  remarks: 'What a higher layer takes away or replaces is gone. Every layer is verified before anything is written. Of an image for several platforms each is flattened, unless --platform says which. The same image gives the same bytes.',
  async run([word = '', to], options, context) {
    const rules = { duplicates: options['last-duplicate'] === true ? 'last' : 'error', danglingLinks: options['drop-dangling'] === true ? 'drop' : 'error' } as const;
    if (options.tar === true) {
      if (to !== undefined) throw new UsageError('with --tar there is no new image', `Name the file with -o: oci-tar flatten ${word} --tar -o ${to}`);
      for (const name of ['keep-base', 'created', 'created-by', 'referrers', 'compress', 'level', 'all-platforms'] as const) {
        if (options[name] !== undefined) throw new UsageError(`--${name} is of an image, not of a plain tar`);
      }
      return writeTar(word, options.output ?? '-', options.platform, rules, context);
    }
    if (options.output !== undefined) throw new UsageError('--output is the file of --tar', 'Add --tar, or write the target as the second argument.');
    if (to === undefined) throw new UsageError('the new image has no name', `Write oci-tar flatten ${word} NEW-NAME, or --tar for the root filesystem alone.`);
    const codec = options.compress === undefined ? undefined : codecByName(options.compress);
    if (codec?.name === 'none' && options.level !== undefined) throw new UsageError('--level says how hard to compress, but --compress is none');
    const keepBase = keepBaseOf(options['keep-base']);
    const made = newImageAt(context, to, 'With --tar flatten writes the root filesystem; oci-tar export writes an image.');
    const dated = options.created !== undefined || (context.io.env['SOURCE_DATE_EPOCH'] ?? '') !== '';
    const report = await remake(context, word, made, 'flattening', (request) =>
      flattenImage({
        ...request,
        keepBase,
        ...rules,
        ...(codec === undefined ? {} : { codec }),
        ...levelOf(options),
        ...(dated ? { created: createdSeconds(options.created, context.io.env) } : {}),
        ...(options['created-by'] === undefined ? {} : { createdBy: options['created-by'] }),
        ...platformsOf({ ...options, 'rewrite-index': undefined }),
        ...referrersOf(options),
        ...jobsOf(context),
      }),
    );
    noteGaps(context, report.gaps);
    return print(context, { json: reportJson(report, to), text: reportText(report), names: [report.image.descriptor.digest] });
  },
});

function keepBaseOf(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,4}$/.test(text)) throw new UsageError('--keep-base takes a number of layers');
  return Number(text);
}

async function writeTar(word: string, output: string, platforms: readonly string[] | undefined, rules: MergeChoice, context: Context): Promise<void> {
  if (platforms !== undefined && platforms.length > 1) throw new UsageError('a tar is of one platform');
  const target = archiveOutput(context, output);
  const place = placeOf(word);
  const bytes = await withSource(context, place, async (source) => {
    const { request } = await lookAt(context, source, place, platforms?.[0]);
    context.progress.start('flattening');
    return written(mergedTar({ ...request, ...rules }), target, context.signal);
  });
  const where = typeof target === 'string' ? `to ${target}` : 'to standard output';
  await print(context, { json: { output, bytes }, text: `flattened ${word} ${where}: ${formatSize(bytes)}\n`, names: [output] }, typeof target === 'string' ? 'stdout' : 'stderr');
}

/** Into a file that appears whole or not at all, or into the pipe. */
async function written(bytes: ByteStream, target: string | ByteSink, signal: AbortSignal): Promise<number> {
  const sink = typeof target === 'string' ? await openOutput(target) : target;
  let size = 0;
  try {
    for await (const run of counted(bytes, (count) => (size += count))) {
      signal.throwIfAborted();
      await sink.write(run);
    }
    await sink.commit();
    return size;
  } catch (error) {
    await sink.abort(error);
    throw error;
  }
}

function reportJson({ image, from, manifests, referrers }: FlattenReport, target: string): object {
  return {
    target,
    ...imageJson(image),
    from: from.digest,
    manifests: manifests.map(({ platform, from, to, merged }) => ({ platform: formatPlatform(platform), from: from.digest, digest: to.digest, merged })),
    ...(referrers.length === 0 ? {} : { referrers: referrers.map(imageJson) }),
  };
}

function reportText({ image, manifests }: FlattenReport): string {
  const lines = manifests.map(({ platform, merged }) => `flattened ${countedText(merged, 'layer')} for ${formatPlatform(platform)} into one\n`);
  return `${newImageText(image)}${lines.join('')}`;
}
