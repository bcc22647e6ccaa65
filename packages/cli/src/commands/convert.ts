import {
  codecByName,
  compressedForm,
  convertImage,
  externalTocDecompressor,
  formatPlatform,
  manifestChecksumAnnotations,
  seekableForm,
  tocDigestAnnotation,
  bytesSource,
} from '@oci-tar/core';
import type { ConvertReport, LayerForm } from '@oci-tar/core';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { newImageAt, newImageText, remake } from '../new-image.ts';
import { flagOption, levelOf, platformOptions, platformsOf, referrerOptions, referrersOf } from '../options.ts';
import { imageJson, noteGaps } from '../outcome.ts';
import { imageWord, jobsOf } from '../places.ts';
import { compressorOf, seekableOf, seekableOptions } from '../seekable-options.ts';
import type { SeekableFlags } from '../seekable-options.ts';
import { counted, formatSize } from '../style.ts';

const forms = ['estargz', 'zstd-chunked', 'zstd', 'gzip', 'uncompressed'] as const;

export const command = defineCommand({
  spec: '<source> <target>',
  words: {
    source: imageWord,
    target: 'The new image: a name in the local store, or where to, spelled as for copy',
  },
  options: {
    estargz: flagOption('Layers that can be read in pieces and are gzip to everyone else'),
    'zstd-chunked': flagOption('Layers that can be read in pieces and are zstd to everyone else'),
    zstd: flagOption('Layers compressed with zstd'),
    gzip: flagOption('Layers compressed with gzip'),
    uncompressed: flagOption('Plain layers'),
    level: { type: 'number', requiresArg: true, describe: 'How hard to compress: gzip 1 to 9, zstd 1 to 19', coerce: (given: number | readonly number[] | undefined) => (typeof given === 'object' ? given.at(-1) : given) },
    ...seekableOptions,
    'external-toc': flagOption('The tables of contents go into an image of their own, whose tag ends in -esgztoc'),
    'keep-diff-id': flagOption('Keeps every byte of the unpacked layers, with --external-toc: the image ID stays'),
    oci: flagOption("OCI's media types"),
    docker: flagOption("docker's media types, which have no annotations"),
    platform: { ...platformOptions.platform },
    'all-platforms': { ...platformOptions['all-platforms'] },
    ...referrerOptions,
    referrers: flagOption('Takes along copies of what refers to the image, which refer to the new one; a signature in them is still one of the old'),
  },
  examples: [
    ['oci-tar convert app:1 app:1-esgz --estargz', 'for stargz-snapshotter'],
    ['oci-tar convert app:1 app:1-esgz --estargz --prioritize files.txt', 'with what is needed first in front'],
    ['oci-tar convert oci-archive:app.tar oci-archive:small.tar:app:1 --zstd --level 19', 'smaller, out of an archive into another'],
    ['oci-tar convert app:1 app:docker --gzip --docker', "for tools that know docker's media types only"],
  ],
  remarks: 'A layer that has the form already stays as it is, unless --level or a flag that shapes its table of contents is given. Every new layer is read back and verified before the image gets its name. The same image and flags give the same bytes.',
  async run([word = '', to = ''], options, context) {
    const form = formOf(options, context);
    if (options.oci === true && options.docker === true) throw new UsageError('--oci and --docker exclude each other');
    if (options.docker === true && form.annotated) note(context, `docker's media types have no annotations: nobody can vouch for the tables of contents of these layers`);
    const made = newImageAt(context, to, 'Convert into the store, then use oci-tar export IMAGE -.');
    const report = await remake(context, word, made, 'converting', (request) =>
      convertImage({
        ...request,
        form,
        missingPrioritized: options['allow-missing-prioritized'] === true ? 'report' : 'error',
        ...(options.oci === true ? { mediaTypes: 'oci' as const } : options.docker === true ? { mediaTypes: 'docker' as const } : {}),
        ...platformsOf({ ...options, 'rewrite-index': undefined }),
        ...referrersOf(options),
        ...jobsOf(context),
      }),
    );
    for (const path of report.missingPrioritized) note(context, `no layer has ${path}`);
    if (report.lostAnnotations && !form.annotated) note(context, `docker's media types have no annotations: those of the image are lost`);
    noteGaps(context, report.gaps);
    return print(context, { json: reportJson(report, to), text: reportText(report, form), names: [report.image.descriptor.digest] });
  },
});

interface FormFlags extends SeekableFlags, Readonly<Partial<Record<(typeof forms)[number] | 'external-toc' | 'keep-diff-id', boolean | undefined>>> {
  readonly 'allow-missing-prioritized': boolean | undefined;
}

/** Flags that only layers have that can be read in pieces. */
const seekableFlags = ['chunk-size', 'min-chunk-size', 'prioritize', 'allow-missing-prioritized'] as const;
const estargzFlags = ['external-toc', 'keep-diff-id'] as const;

function formOf(options: FormFlags, context: Context): LayerForm {
  const [chosen, ...others] = forms.filter((form) => options[form] === true);
  if (chosen === undefined || others.length > 0) throw new UsageError('say what the layers are to become', `Add one of ${forms.map((form) => `--${form}`).join(', ')}.`);
  const { signal } = context;
  const level = levelOf({ level: options.level, compress: undefined });
  if (chosen !== 'estargz' && chosen !== 'zstd-chunked') {
    const useless = [...seekableFlags, ...estargzFlags].find((flag) => options[flag] !== undefined);
    if (useless !== undefined) throw new UsageError(`--${useless} is of layers that can be read in pieces`, 'Add --estargz or --zstd-chunked.');
    if (chosen === 'uncompressed' && options.level !== undefined) throw new UsageError('--level says how hard to compress, but nothing is compressed');
    return compressedForm(codecByName(chosen === 'uncompressed' ? 'none' : chosen), { ...level, signal });
  }
  if (chosen === 'zstd-chunked' && options['external-toc'] === true) throw new UsageError('zstd:chunked has its table of contents in the layer', 'Leave --external-toc out; the diffID stays all the same.');
  if (chosen === 'estargz' && options['keep-diff-id'] === true && options['external-toc'] !== true) throw new UsageError('a table of contents in the layer changes its diffID', 'Add --external-toc.');
  if (options['keep-diff-id'] === true && options.prioritize !== undefined) throw new UsageError('with --keep-diff-id the files keep their order');
  const format = chosen === 'estargz' && options['external-toc'] === true ? 'estargz-external-toc' : chosen;
  return seekableForm({
    name: chosen,
    annotation: chosen === 'estargz' ? tocDigestAnnotation : manifestChecksumAnnotations[2],
    compressor: compressorOf(format, options),
    ...(format === 'estargz-external-toc' ? { decompressor: (toc: Uint8Array | undefined) => externalTocDecompressor(toc === undefined ? undefined : bytesSource(toc)) } : {}),
    ...seekableOf(format, options, options['keep-diff-id'] === true),
    // Tables that are to be elsewhere have to be made, even where the layers are there.
    anew: ['level', 'chunk-size', 'min-chunk-size', 'prioritize', 'external-toc'].some((flag) => (Reflect.get(options, flag) ?? false) !== false),
    signal,
  });
}

function reportJson({ image, from, manifests, layers, tocImage, missingPrioritized, referrers }: ConvertReport, target: string): object {
  return {
    target,
    ...imageJson(image),
    from: from.digest,
    manifests: manifests.map(({ platform, from, to }) => ({ platform: formatPlatform(platform), from: from.digest, digest: to.digest })),
    layers: layers.map(({ from, to }) => ({ from: from.digest, fromSize: from.size, digest: to.digest, size: to.size, mediaType: to.mediaType, ...(to.annotations === undefined ? {} : { annotations: to.annotations }) })),
    ...(tocImage === undefined ? {} : { tocImage: imageJson(tocImage) }),
    ...(missingPrioritized.length === 0 ? {} : { missingPrioritized }),
    ...(referrers.length === 0 ? {} : { referrers: referrers.map(imageJson) }),
  };
}

function reportText({ image, layers, tocImage }: ConvertReport, form: LayerForm): string {
  const [before, after] = [layers.reduce((sum, { from }) => sum + from.size, 0), layers.reduce((sum, { to }) => sum + to.size, 0)];
  const name = form.name === 'none' ? 'plain tar' : form.name;
  const what = layers.length === 0 ? `every layer is ${name} already\n` : `${counted(layers.length, 'layer')} to ${name}: ${formatSize(before)} before, ${formatSize(after)} now\n`;
  return `${newImageText(image)}${what}${tocImage === undefined ? '' : newImageText(tocImage)}`;
}
