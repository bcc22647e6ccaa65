import { abortable, buildSeekable, externalTocDecompressor, fileSource, isOciTarError, openSeekable, parseDigest, unpackSeekable, verifySeekable } from '@oci-tar/core';
import type { BuildReport, ByteSource, Digest, VerifiedSeekable, VerifyLevel } from '@oci-tar/core';
import type { InferredOptionTypes } from 'yargs';
import { into, only, outputTo, withBlob } from '../blob-io.ts';
import { defineCommand } from '../command.ts';
import { note, print } from '../context.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../failure.ts';
import { flagOption, textOption } from '../options.ts';
import { bytesOf, compressorOf, seekableOf, seekableOptions } from '../seekable-options.ts';
import { counted, formatSize } from '../style.ts';
import { tocJson, tocSummary, tocText } from '../toc-text.ts';

/** Which flags go with which action, beside --external-toc. */
const flagsOf = {
  build: ['level', 'chunk-size', 'min-chunk-size', 'prioritize', 'allow-missing-prioritized', 'lossless', 'zstd-chunked', 'external-toc'],
  verify: ['level', 'toc-digest', 'digest', 'diff-id', 'external-toc', 'toc-limit'],
  toc: ['long', 'external-toc', 'toc-limit'],
  unpack: [],
} as const;

const options = {
  level: { type: 'number', requiresArg: true, describe: 'build: how hard to compress, gzip 1 to 9, zstd 1 to 19; verify: how far to look, 1 to 3 (default)', coerce: (given: number | readonly number[] | undefined) => (typeof given === 'object' ? given.at(-1) : given) },
  ...seekableOptions,
  lossless: flagOption('build: keeps every byte of the tar, as it streams by, and its order'),
  'zstd-chunked': flagOption('build: zstd:chunked instead of eStargz'),
  'external-toc': textOption('The file with the table of contents, where that is not to be, or is not, in the layer itself'),
  'toc-digest': textOption('verify: what the table of contents must be; an annotation of the manifest has it'),
  digest: textOption('verify: the digest of the layer'),
  'diff-id': textOption('verify: the digest of the layer, unpacked'),
  'toc-limit': textOption('verify, toc: bytes that the table of contents may have, 157286400 by default'),
  long: { ...flagOption('toc: as a table for people'), alias: 'l' },
} as const;

export const command = defineCommand({
  spec: '<action> <layer> [output]',
  usage: '<build|verify|toc|unpack> <layer|-> [output|-]',
  words: {
    'build IN.TAR OUT': 'Writes a tar, plain or compressed, as a layer that can be read in pieces',
    'verify LAYER': 'Level 1: its table of contents; 2: also every file; 3: also that its tar says the same',
    'toc LAYER': 'Prints the table of contents, the JSON as it stands in the layer',
    'unpack LAYER OUT.TAR': 'Writes the tar, without table of contents and footer',
  },
  options,
  examples: [
    ['oci-tar estargz build layer.tar layer.esgz --prioritize first.txt', 'a layer for lazy pulling'],
    ['oci-tar estargz verify layer.esgz --toc-digest sha256:…', 'whether lazy and plain readers see the same, and the right thing'],
    ['oci-tar estargz toc layer.esgz --long', 'what is in it'],
    ['oci-tar estargz unpack layer.esgz - | tar t', 'the tar again'],
  ],
  remarks: 'For single layers; whole images are converted by oci-tar convert. verify, toc and unpack read eStargz, stargz and zstd:chunked.',
  async run([action = '', layer = '', output], given, context) {
    if (!isAction(action)) throw new UsageError(`${action} is neither build, verify, toc nor unpack`);
    const stray = Object.keys(options).find((flag) => Reflect.get(given, flag) !== undefined && !flagsOf[action].some((own) => own === flag));
    if (stray !== undefined) throw new UsageError(`--${stray} does not go with ${action}`);
    const writes = action === 'build' || action === 'unpack';
    if (writes && output === undefined) throw new UsageError(`${action} needs to know where to write to`, `Usage: oci-tar estargz ${action} <layer|-> <output|->`);
    if (!writes && output !== undefined) throw new UsageError(`${action} writes to standard output, not to ${output}`);
    if (action === 'build') return build(layer, output ?? '', given, context);
    if (action === 'unpack') return unpack(layer, output ?? '', context);
    if (action === 'verify') return verify(layer, given, context);
    return printToc(layer, given, context);
  },
});

function isAction(text: string): text is keyof typeof flagsOf {
  return Object.hasOwn(flagsOf, text);
}

type Given = InferredOptionTypes<typeof options>;

async function build(input: string, output: string, given: Given, context: Context): Promise<void> {
  const { 'external-toc': tocFile, 'zstd-chunked': asZstd = false } = given;
  if (asZstd && tocFile !== undefined) throw new UsageError('zstd:chunked has its table of contents in the layer');
  const format = asZstd ? 'zstd-chunked' : tocFile === undefined ? 'estargz' : 'estargz-external-toc';
  const lossless = given.lossless === true;
  const how = { ...seekableOf(format, given, lossless), compressor: compressorOf(format, given), missingPrioritized: given['allow-missing-prioritized'] === true ? ('report' as const) : ('error' as const), signal: context.signal };
  const target = outputTo(context, output);
  const tocTarget = tocFile === undefined ? undefined : outputTo(context, tocFile);
  if (output === '-' && tocFile === '-') throw new UsageError('only one of two outputs can be standard output');
  const source = input === '-' ? context.io.stdin.bytes() : await fileSource(input);
  context.progress.start('building');
  const building = buildSeekable(source, how);
  await into(await target(), building.blob, async () => {
    const { externalToc } = building.report();
    if (tocTarget !== undefined && externalToc !== undefined) await into(await tocTarget(), only(externalToc));
  });
  const report = building.report();
  for (const path of report.missingPrioritized) note(context, `the tar has no ${path}`);
  const toStderr = output === '-' || tocFile === '-';
  await print(context, { json: buildJson(report, format), text: buildText(report), names: [report.digest] }, toStderr ? 'stderr' : 'stdout');
}

function buildJson({ digest, size, diffID, tarSize, tocDigest, annotations, suffix, missingPrioritized }: BuildReport, format: string): object {
  return { format, mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`, digest, size, diffID, tarSize, tocDigest, annotations, ...(missingPrioritized.length === 0 ? {} : { missingPrioritized }) };
}

function buildText({ digest, size, diffID, tocDigest, tarSize, annotations }: BuildReport): string {
  const lines = [`layer   ${digest}`, `size    ${formatSize(size)}, unpacked ${formatSize(tarSize)}`, `diffID  ${diffID}`, `TOC     ${tocDigest}`, ...Object.entries(annotations).map(([key, value]) => `        ${key}=${value}`)];
  return lines.map((line) => `${line}\n`).join('');
}

async function verify(layer: string, given: Given, context: Context): Promise<void> {
  const { level = 3 } = given;
  if (!isLevel(level)) throw new UsageError('--level is 1, 2 or 3');
  if (level < 3 && (given.digest !== undefined || given['diff-id'] !== undefined)) throw new UsageError('only level 3 reads all of the layer', 'Leave --level out, or --digest and --diff-id.');
  const tocDigest = digestOption(given, 'toc-digest');
  const digest = digestOption(given, 'digest');
  const diffID = digestOption(given, 'diff-id');
  const externalToc = await externalTocOf(given);
  context.progress.start('verifying');
  const verified = await withBlob(context, layer, (blob) =>
    verifySeekable(blob, {
      level,
      ...(tocDigest === undefined ? {} : { tocDigest }),
      ...(digest === undefined ? {} : { digest }),
      ...(diffID === undefined ? {} : { diffID }),
      ...(externalToc === undefined ? {} : { externalToc }),
      ...tocLimitOf(given),
      signal: context.signal,
    }),
  );
  await print(context, { json: { layer, ...verified, vouched: tocDigest !== undefined }, text: verifiedText(verified), names: [verified.tocDigest] });
  if (tocDigest === undefined) note(context, 'nothing vouches for the table of contents; --toc-digest does, with the digest that the manifest has');
}

function verifiedText({ level, format, tocDigest, content, tar }: VerifiedSeekable): string {
  const lines = [
    `${format}: good at level ${level}`,
    `TOC     ${tocDigest}`,
    ...(content === undefined ? [] : [`files   ${content.files}, in ${counted(content.chunks, 'chunk')}, ${formatSize(content.size)}`]),
    ...(tar === undefined ? [] : [`layer   ${tar.digest}`, `diffID  ${tar.diffID}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function isLevel(level: number): level is VerifyLevel {
  return level === 1 || level === 2 || level === 3;
}

/** A digest that is none is a mistake in the command line, not damage. */
function digestOption(given: Given, flag: 'toc-digest' | 'digest' | 'diff-id'): Digest | undefined {
  const text = given[flag];
  try {
    return text === undefined ? undefined : parseDigest(text);
  } catch (error) {
    throw isOciTarError(error, 'INVALID_DIGEST') ? new UsageError(`--${flag}: ${error.message}`) : error;
  }
}

/** Held in memory, so that the layer itself may come from a pipe. */
async function externalTocOf({ 'external-toc': path }: Given): Promise<ByteSource | undefined> {
  return path === undefined ? undefined : fileSource(path);
}

function tocLimitOf(given: Given): { readonly tocLimit?: number } {
  const tocLimit = bytesOf(given['toc-limit'], '--toc-limit');
  return tocLimit === undefined ? {} : { tocLimit };
}

async function printToc(layer: string, given: Given, context: Context): Promise<void> {
  const limit = tocLimitOf(given);
  const externalToc = await externalTocOf(given);
  await withBlob(context, layer, async (blob) => {
    const opened = await openSeekable(blob, { ...(externalToc === undefined ? {} : { decompressors: [externalTocDecompressor(externalToc)] }), ...limit, signal: context.signal });
    if (given.long === true || context.json || context.quiet) {
      const { decompressor, tocOffset } = opened.parts;
      const about = { format: decompressor.name, tocDigest: opened.tocDigest, ...(tocOffset === undefined ? {} : { tocOffset }) };
      const json = context.json ? { layer, ...about, toc: JSON.parse(new TextDecoder().decode(await tocJson(opened, limit.tocLimit))) as unknown } : undefined;
      const text = context.json || context.quiet ? '' : `${tocText(opened)}${decompressor.name}: ${tocSummary(opened)}, ${opened.tocDigest}\n`;
      return print(context, { json, text, names: [opened.tocDigest] });
    }
    await into(context.io.stdout.sink(), only(await tocJson(opened, limit.tocLimit)));
  });
}

async function unpack(layer: string, output: string, context: Context): Promise<void> {
  const target = outputTo(context, output);
  await withBlob(context, layer, async (blob) => {
    context.progress.start('unpacking');
    const size = await into(await target(), abortable(unpackSeekable(blob), context.signal));
    await print(context, { json: { layer, output, size }, text: `unpacked ${formatSize(size)}\n` }, output === '-' ? 'stderr' : 'stdout');
  });
}
