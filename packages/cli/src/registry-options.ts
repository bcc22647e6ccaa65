import type { RegistryOptions } from '@oci-tar/core';
import type { InferredOptionTypes, Options } from 'yargs';
import { UsageError } from './failure.ts';
import { flagOption, textOption, textsOption } from './options.ts';

const group = 'Registries:';

/** What every command takes that may speak to a registry. */
export const registryOptions = {
  'plain-http': { ...flagOption('HTTP without TLS; by default only on loopback, where there is no TLS'), group },
  ca: { ...textOption('A file of authorities to trust beside those of the system (PEM)'), group },
  'cert-dir': { ...textOption("A folder with *.crt, *.cert and *.key, as docker's certs.d/HOST"), group },
  'hosts-dir': { ...textOption('The folder with HOST/hosts.toml for mirrors; /etc/containerd/certs.d by default'), group },
  'auth-file': { ...textOption("Credentials, instead of docker's and podman's files"), group },
  'token-host': { ...textsOption('A host beside the registry that may see its credentials to give a token (repeatable)'), group },
  jobs: { ...textOption('Connections, and blobs at a time; 6 and 3 by default'), group },
  retries: { ...textOption('How often to try again what may pass; 4 by default'), group },
  timeout: { ...textOption('Seconds without a byte until it is given up; 60 by default'), group },
} as const satisfies Readonly<Record<string, Options>>;

export type RegistryValues = Partial<InferredOptionTypes<typeof registryOptions>>;

/** Whether a line has to do with registries: laying the flags out takes a millisecond, which every other line would pay for. */
export function speaksOfRegistries(words: readonly string[]): boolean {
  const flags = Object.keys(registryOptions).map((name) => `--${name}`);
  return words.some((word) => word.startsWith('docker://') || word === '--help' || word === '-h' || flags.includes(word.split('=', 1)[0] ?? ''));
}

/** The library's options for what was given. */
export function registryOf(given: RegistryValues, rest: Pick<RegistryOptions, 'signal' | 'onWarning' | 'env'>): RegistryOptions {
  const jobs = numberOf(given.jobs, '--jobs', 1, 100);
  const retries = numberOf(given.retries, '--retries', 0, 100);
  const timeout = numberOf(given.timeout, '--timeout', 1, 86_400);
  return {
    ...rest,
    ...(given['plain-http'] === undefined ? {} : { plainHttp: given['plain-http'] }),
    ...(given.ca === undefined ? {} : { caFile: given.ca }),
    ...(given['cert-dir'] === undefined ? {} : { certDir: given['cert-dir'] }),
    ...(given['hosts-dir'] === undefined ? {} : { hostsDir: given['hosts-dir'] }),
    ...(given['auth-file'] === undefined ? {} : { authFile: given['auth-file'] }),
    ...(given['token-host'] === undefined ? {} : { tokenHosts: given['token-host'] }),
    ...(jobs === undefined ? {} : { connections: jobs }),
    ...(retries === undefined ? {} : { retries }),
    ...(timeout === undefined ? {} : { timeout: timeout * 1000 }),
  };
}

function numberOf(text: string | undefined, flag: string, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new UsageError(`${flag} takes a whole number from ${least} to ${most}`);
}
