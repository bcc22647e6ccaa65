import { codecByName, parsePlatform } from '@oci-tar/core';
import type { Codec, Platform, PlatformChoice } from '@oci-tar/core';
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
  store: { ...textOption('Directory of the local store'), group: globalGroup },
  json: { ...flagOption('Results, and errors, as JSON'), group: globalGroup },
  quiet: { ...flagOption('No progress, no notes; results as bare names'), alias: 'q', group: globalGroup },
} as const satisfies Readonly<Record<string, Options>>;

export const platformOptions = {
  platform: { ...textsOption('Only these platforms, such as linux/amd64,linux/arm64 (repeatable)'), conflicts: 'all-platforms' },
  'all-platforms': flagOption('Every platform of the image; an error when one is missing'),
} as const satisfies Readonly<Record<string, Options>>;

interface PlatformValues {
  readonly platform: readonly string[] | undefined;
  readonly 'all-platforms': boolean | undefined;
}

/** The library's option for what was given, ready to be spread. */
export function platformsOf(given: PlatformValues): { readonly platforms?: PlatformChoice } {
  if (given['all-platforms'] === true) return { platforms: 'all' };
  return given.platform === undefined ? {} : { platforms: given.platform.flatMap((text) => text.split(',')).map((text) => parsePlatform(text.trim(), hostPlatform())) };
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
