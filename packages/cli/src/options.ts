import { codecByName, defaultReferrerLimits, parsePlatform } from '@oci-tar/core';
import type { Codec, Platform, PlatformChoice, ReferrerLimits } from '@oci-tar/core';
import type { Options } from 'yargs';
import { UsageError } from './failure.ts';

const last = (given: string | readonly string[] | undefined): string | undefined => (typeof given === 'string' || given === undefined ? given : given.at(-1));
const lastNumber = (given: number | readonly number[] | undefined): number | undefined => (typeof given === 'number' || given === undefined ? given : given.at(-1));

/** An option with a value; of several the last counts. */
export function textOption(describe: string) {
  return { type: 'string', requiresArg: true, describe, coerce: last } as const satisfies Options;
}

/** An option with a value that can be given several times. */
export function textsOption(describe: string) {
  return { type: 'string', array: true, requiresArg: true, describe } as const satisfies Options;
}

export function flagOption(describe: string) {
  return { type: 'boolean', describe } as const satisfies Options;
}

const globalGroup = 'Everywhere:';

/** What every command takes. */
export const globalOptions = {
  store: { ...textOption('Directory of the local store, or containerd:[NAMESPACE/]; by default OCI_TAR_STORE, else ~/.local/share/oci-tar/store'), group: globalGroup },
  json: { ...flagOption('Results, and errors, as JSON'), group: globalGroup },
  quiet: { ...flagOption('No progress, no notes; results as bare names'), alias: 'q', group: globalGroup },
} as const satisfies Readonly<Record<string, Options>>;

export const platformOptions = {
  platform: { ...textsOption('Only these platforms, such as linux/amd64,linux/arm64 (repeatable)'), conflicts: 'all-platforms' },
  'all-platforms': flagOption('Every platform of the image; an error when one is missing'),
  'rewrite-index': flagOption('Where not all of an index moves: a smaller index in its place, with another digest'),
} as const satisfies Readonly<Record<string, Options>>;

interface PlatformValues {
  readonly platform: readonly string[] | undefined;
  readonly 'all-platforms': boolean | undefined;
  readonly 'rewrite-index': boolean | undefined;
}

/** The library's option for what was given, ready to be spread. */
export function platformsOf(given: PlatformValues): { readonly platforms?: PlatformChoice; readonly rewriteIndex?: boolean } {
  const rewrite = given['rewrite-index'] === true ? { rewriteIndex: true } : {};
  if (given['all-platforms'] === true) return { ...rewrite, platforms: 'all' };
  if (given.platform === undefined) return rewrite;
  return { ...rewrite, platforms: given.platform.flatMap((text) => text.split(',')).map((text) => parsePlatform(text.trim(), hostPlatform())) };
}

export const foreignOptions = {
  'skip-non-distributable': flagOption('Leaves out foreign layers that can be fetched from their URLs'),
} as const satisfies Readonly<Record<string, Options>>;

/** The library's option for what was given, ready to be spread. */
export function foreignOf({ 'skip-non-distributable': skip }: { readonly 'skip-non-distributable': boolean | undefined }): { readonly skipNonDistributable?: boolean } {
  return skip === true ? { skipNonDistributable: true } : {};
}

const mostReferrers = { type: 'number', requiresArg: true, describe: `How many referrers are too many; ${defaultReferrerLimits.count} by default`, coerce: lastNumber } as const satisfies Options;

export const referrerOptions = {
  referrers: flagOption('Takes along what refers to the images: signatures, attestations, SBOMs'),
  'max-referrers': mostReferrers,
} as const satisfies Readonly<Record<string, Options>>;

export const referrerLimitOptions = { 'max-referrers': mostReferrers } as const satisfies Readonly<Record<string, Options>>;

interface ReferrerValues {
  readonly referrers?: boolean | undefined;
  readonly 'max-referrers': number | undefined;
}

/** The library's options for what was given, ready to be spread. */
export function referrersOf({ referrers, 'max-referrers': count }: ReferrerValues): { readonly referrers?: boolean; readonly referrerLimits?: Partial<ReferrerLimits> } {
  if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0)) throw new UsageError('--max-referrers takes a whole number');
  return { ...(referrers === undefined ? {} : { referrers }), ...(count === undefined ? {} : { referrerLimits: { count } }) };
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** The platform whose containers this machine runs: Linux, whatever the system, with the machine's own architecture. */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: architectures[process.arch] ?? process.arch };
}

export const compressOptions = {
  compress: { ...textOption('gzip, zstd or none; by default as the name of the file ends'), choices: ['gzip', 'zstd', 'none'] },
  level: { type: 'number', requiresArg: true, describe: 'How hard to compress: gzip 1 to 9, zstd 1 to 22', coerce: lastNumber },
} as const satisfies Readonly<Record<string, Options>>;

interface CompressValues {
  readonly compress: string | undefined;
  readonly level: number | undefined;
}

/** The codec and level for an archive; without `--compress` the end of its name decides. */
export function compressionOf(given: CompressValues, path: string): { readonly compression?: Codec; readonly level?: number } {
  const name = given.compress ?? codecOfName(path);
  return name === 'none' ? withoutLevel(given) : { compression: codecByName(name), ...levelOf(given) };
}

/** `--level` as an option of the library. */
export function levelOf({ level }: CompressValues): { readonly level?: number } {
  if (level === undefined) return {};
  if (!Number.isSafeInteger(level)) throw new UsageError('--level takes a whole number');
  return { level };
}

function withoutLevel({ level }: CompressValues): Record<string, never> {
  if (level !== undefined) throw new UsageError('--level says how hard to compress, but nothing is compressed', 'Add --compress gzip or --compress zstd.');
  return {};
}

function codecOfName(path: string): 'gzip' | 'zstd' | 'none' {
  if (/\.(tar\.gz|tgz)$/i.test(path)) return 'gzip';
  return /\.(tar\.zst|tzst)$/i.test(path) ? 'zstd' : 'none';
}
