import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { serverOf } from './endpoint.ts';
import type { RegistryOptions } from './options.ts';

/** Certificates in PEM. */
export interface TlsFiles {
  /** Authorities beside those of the system. */
  readonly ca: readonly string[];
  /** What a client shows of itself. */
  readonly client?: { readonly cert: string; readonly key: string };
}

/** The folders in which docker, podman and containerd look for the certificates of a registry. */
const folders = ['/etc/containers/certs.d', '/etc/docker/certs.d'];
const containerdFolder = '/etc/containerd/certs.d';

/** What is to be trusted of a registry, and shown to it. */
export async function certificatesFor(registry: string, options: RegistryOptions): Promise<TlsFiles> {
  const found: TlsFiles[] = [];
  if (options.caFile !== undefined) found.push({ ca: [await pem(options.caFile)] });
  const places = options.certDir === undefined ? [...folders, options.hostsDir ?? containerdFolder].map((folder) => join(folder, serverOf(registry))) : [options.certDir];
  for (const place of places) found.push(await filesIn(place, options.certDir !== undefined));
  const client = found.find((files) => files.client !== undefined)?.client;
  return { ca: found.flatMap(({ ca }) => ca), ...(client === undefined ? {} : { client }) };
}

/** Where the systems keep the authorities that their administrators trust, in one file. */
const systemFiles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem', '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', '/etc/ssl/cert.pem'];

/** The authorities of the system (SSL_CERT_FILE, or where that is kept) and those of NODE_EXTRA_CA_CERTS: Node has a list of its own. */
export async function systemAuthorities(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const contents = (path: string | undefined) => (path ? readFile(path, 'utf8').catch(() => '') : '');
  const found = [await contents(env['NODE_EXTRA_CA_CERTS'])];
  for (const path of env['SSL_CERT_FILE'] ? [env['SSL_CERT_FILE']] : systemFiles) {
    const text = await contents(path);
    found.push(text);
    if (text !== '') break;
  }
  return found.filter((text) => text.includes('-----BEGIN '));
}

/** INVALID_ARGUMENT for a client's certificate or key that cannot be used, or that do not belong together. */
export async function secureContextOf(options: SecureContextOptions, host: string): Promise<SecureContext> {
  const { createSecureContext } = await import('node:tls');
  try {
    return createSecureContext(options);
  } catch (cause) {
    const problem = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : '';
    throw new OciTarError('INVALID_ARGUMENT', `the certificate and key that ${host} should be shown cannot be used: ${problem}`, { subject: host, cause });
  }
}

async function filesIn(folder: string, needed: boolean): Promise<TlsFiles> {
  const names = await readdir(folder).catch((error: unknown): string[] => {
    if (!needed && ['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return [];
    throw mapErrno(error, folder);
  });
  const ca = await Promise.all(names.filter((name) => name.endsWith('.crt')).map((name) => pem(join(folder, name))));
  const cert = names.find((name) => name.endsWith('.cert'));
  if (cert === undefined) return { ca };
  const key = cert.replace(/\.cert$/, '.key');
  if (!names.includes(key)) throw new OciTarError('NOT_FOUND', `${join(folder, cert)} has no key beside it`, { subject: join(folder, key) });
  return { ca, client: { cert: await pem(join(folder, cert)), key: await pem(join(folder, key)) } };
}

/** INVALID_ARGUMENT for a file that is none: TLS would only say that nobody is trusted. */
export async function pem(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw mapErrno(error, path);
  });
  if (text.includes('-----BEGIN ')) return text;
  throw new OciTarError('INVALID_ARGUMENT', `${path} is not a certificate or key in PEM`, { subject: path });
}
