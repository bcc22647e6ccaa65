import { OciTarError } from '../errors.ts';

/** Where an image runs (image-spec, image-index.md). */
export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  readonly variant?: string;
  readonly features?: readonly string[];
}

const maxLength = 255;

const knownSystems: ReadonlySet<string> = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows zos'.split(' '),
);
const knownArchitectures: ReadonlySet<string> = new Set(
  'amd64 386 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x sparc64 wasm'.split(' '),
);

const osGrammar = /^([\w-]+)(?:\(([\w.%-]*)((?:\+[\w.%-]+)*)\))?$/;
const partGrammar = /^[\w.-]+$/;

/**
 * Parses `os/architecture/variant` as containerd does: `linux/amd64`, `linux/arm/v7`, `windows(10.0.17763)/amd64`.
 * What is left out comes from `host`; without it an architecture alone is taken for linux. Names other than Go's are translated
 * (`x86_64`, `aarch64`, `macos`). INVALID_PLATFORM.
 */
export function parsePlatform(text: string, host?: Platform): Platform {
  if (text.length > maxLength) refuse(text, `it is longer than ${maxLength} characters`);
  const [first = '', second, third, ...rest] = text.split('/');
  const match = osGrammar.exec(first);
  if (match === null || rest.length > 0) refuse(text, 'it does not have the form os/architecture/variant');
  const [, osName = '', version = '', features = ''] = match;
  const os = normalizeOS(osName);
  const options = osOptions(text, version, features);

  if (second === undefined) {
    if (knownSystems.has(os)) {
      if (host === undefined) refuse(text, 'the architecture is missing', `Write ${os}/amd64 or ${os}/arm64.`);
      return assemble(os, host.architecture, host.variant, options);
    }
    const [architecture, variant] = parsedArchitecture(first, undefined);
    if (!knownArchitectures.has(architecture)) refuse(text, 'neither a known operating system nor a known architecture');
    return assemble(host?.os ?? 'linux', architecture, variant, options);
  }
  if (!partGrammar.test(second) || (third !== undefined && !partGrammar.test(third))) {
    refuse(text, 'it does not have the form os/architecture/variant');
  }
  return assemble(os, ...parsedArchitecture(second, third), options);
}

/** `os/architecture/variant`, with `(version+feature)` after the os where there are any. What was parsed is written as it was meant. */
export function formatPlatform(platform: Platform): string {
  const features = [...(platform['os.features'] ?? [])].sort().map((feature) => `+${encodeOption(feature)}`);
  const options = encodeOption(platform['os.version'] ?? '') + features.join('');
  const os = (platform.os === '' ? 'unknown' : platform.os) + (options === '' ? '' : `(${options})`);
  return [os, platform.architecture, platform.variant ?? ''].filter((part) => part !== '').join('/');
}

/** The one form in which equal platforms are equal: Go's names, `amd64` without `v1`, `arm` with `v7`, `arm64` without `v8`. */
export function normalizePlatform(platform: Platform): Platform {
  const [architecture, variant] = normalizeArchitecture(platform.architecture, platform.variant ?? '');
  const { variant: _, 'os.features': features = [], ...others } = platform;
  return {
    ...others,
    os: normalizeOS(platform.os),
    architecture,
    ...(features.length === 0 ? {} : { 'os.features': sortedSet(features) }),
    ...(variant === '' ? {} : { variant }),
  };
}

type OsOptions = Pick<Platform, 'os.version' | 'os.features'>;

function assemble(os: string, architecture: string, variant: string | undefined, options: OsOptions): Platform {
  return { os, architecture, ...options, ...(variant ? { variant } : {}) };
}

/** As containerd parses it: `arm` says nothing of its variant, while a variant that was written stays visible. */
function parsedArchitecture(architecture: string, variant: string | undefined): readonly [string, string] {
  const [name, normal] = normalizeArchitecture(architecture, variant ?? '');
  if (variant === undefined) return [name, name === 'arm' && normal === 'v7' ? '' : normal];
  return [name, name === 'arm64' && normal === '' ? 'v8' : normal];
}

function normalizeOS(os: string): string {
  const lower = os.toLowerCase();
  return lower === 'macos' ? 'darwin' : lower;
}

function normalizeArchitecture(architecture: string, variantText: string): readonly [string, string] {
  const variant = variantText.toLowerCase();
  const name = architecture.toLowerCase();
  switch (name) {
    case 'i386':
      return ['386', ''];
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? '' : variant];
    case 'aarch64':
    case 'arm64':
      if (['8', 'v8', 'v8.0'].includes(variant)) return ['arm64', ''];
      return ['arm64', ['9', '9.0', 'v9.0'].includes(variant) ? 'v9' : variant];
    case 'armhf':
      return ['arm', 'v7'];
    case 'armel':
      return ['arm', 'v6'];
    case 'arm':
      if (variant === '') return ['arm', 'v7'];
      return ['arm', /^[5-8]$/.test(variant) ? `v${variant}` : variant];
    default:
      return [name, variant];
  }
}

function osOptions(text: string, version: string, features: string): OsOptions {
  const names = features.split('+').slice(1);
  try {
    return {
      ...(version === '' ? {} : { 'os.version': decodeURIComponent(version) }),
      ...(names.length === 0 ? {} : { 'os.features': sortedSet(names.map((name) => decodeURIComponent(name))) }),
    };
  } catch {
    refuse(text, 'it has a "%" that encodes nothing');
  }
}

function encodeOption(value: string): string {
  return value.replace(/[^\w.-]/gu, (character) =>
    Array.from(new TextEncoder().encode(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

function sortedSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}

function refuse(text: string, problem: string, hint?: string): never {
  const shown = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
  throw new OciTarError('INVALID_PLATFORM', `${JSON.stringify(shown)} is not a platform: ${problem}`, {
    subject: shown,
    hint: hint ?? 'Platforms are written linux/amd64, linux/arm/v7, windows(10.0.17763)/amd64.',
  });
}
