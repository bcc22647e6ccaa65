import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OciTarError } from '../../errors.ts';
import { errnoOf, mapErrno } from '../../runtime/node/errno.ts';
import { certificatesFor, pem } from './certificates.ts';
import type { TlsFiles } from './certificates.ts';
import { isLoopback, serverOf } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import type { RegistryOptions } from './options.ts';

/** Where containerd and docker look. */
const folders = ['/etc/containerd/certs.d', '/etc/docker/certs.d'];

/** The endpoints of a registry: the mirrors of its `hosts.toml` in their order, then the server itself. INVALID_ARGUMENT for a damaged file. */
export async function endpointsOf(registry: string, options: RegistryOptions): Promise<readonly Endpoint[]> {
  const own = await ownEndpoint(registry, options);
  for (const folder of options.hostsDir === undefined ? folders : [options.hostsDir]) {
    for (const name of [registry, '_default']) {
      const path = join(folder, name.replace(':', '_') === name ? name : await portFolder(folder, name), 'hosts.toml');
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined;
        throw mapErrno(error, path);
      });
      if (text !== undefined) return parseHosts(text, path, registry, own);
    }
  }
  return [own];
}

/** containerd spells the folder of a host with a port `host_port_` or `host:port`. */
async function portFolder(folder: string, name: string): Promise<string> {
  const spelled = name.replace(/:(\d+)$/, '_$1_');
  const there = await readFile(join(folder, spelled, 'hosts.toml')).then(
    () => true,
    () => false,
  );
  return there ? spelled : name;
}

async function ownEndpoint(registry: string, options: RegistryOptions): Promise<Endpoint> {
  const host = serverOf(registry);
  const base = urlOf(`${options.plainHttp === true ? 'http' : 'https'}://${host}/v2`, registry);
  return {
    base,
    probe: options.plainHttp === undefined && isLoopback(host),
    tls: await certificatesFor(registry, options),
    verifyTls: true,
    headers: {},
    canResolve: true,
    canPull: true,
    canPush: true,
  };
}

type Table = Readonly<Record<string, unknown>>;

async function parseHosts(text: string, path: string, registry: string, own: Endpoint): Promise<readonly Endpoint[]> {
  const { parse } = await import('smol-toml');
  let document: Table;
  try {
    document = parse(text);
  } catch (cause) {
    throw new OciTarError('INVALID_ARGUMENT', `${path} is no TOML: ${cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : ''}`, { subject: path, cause });
  }
  const { host, server } = document;
  const mirrors: Endpoint[] = [];
  for (const [address, table] of Object.entries(isTable(host) ? host : {})) {
    if (isTable(table)) mirrors.push(await endpointFrom(address, table, path, own, registry));
  }
  // What the file says of the server itself counts for that, and a mirror that is the server stands in its place.
  const last = server === undefined ? own : await endpointFrom(String(server), document, path, own, undefined);
  return mirrors.some(({ base }) => base.href === last.base.href) ? mirrors : [...mirrors, last];
}

async function endpointFrom(address: string, table: Table, path: string, own: Endpoint, mirrorOf: string | undefined): Promise<Endpoint> {
  const capabilities = Array.isArray(table['capabilities']) ? table['capabilities'].map(String) : ['pull', 'resolve', 'push'];
  const full = /^https?:\/\//.test(address) ? address : `${isLoopback(address.split('/', 1)[0] ?? '') ? 'http' : 'https'}://${address}`;
  const base = urlOf(full, path);
  if (table['override_path'] !== true) base.pathname = `${base.pathname.replace(/\/(?:v2\/?)?$/, '')}/v2`;
  const same = base.host === own.base.host;
  const ca = await filesOf(table['ca'], path);
  const client = await clientOf(table['client'], path);
  const tls: TlsFiles = { ca: [...(same ? own.tls.ca : []), ...ca], ...(client === undefined ? (same ? clientIn(own.tls) : {}) : { client }) };
  const header = isTable(table['header']) ? table['header'] : {};
  const headers = Object.entries(header).map(([name, value]): [string, string] => [name.toLowerCase(), Array.isArray(value) ? value.join(', ') : String(value)]);
  return {
    base,
    probe: false,
    tls,
    verifyTls: table['skip_verify'] !== true,
    headers: Object.fromEntries(headers),
    ...dialTimeoutOf(table['dial_timeout'], path),
    canResolve: capabilities.includes('resolve'),
    canPull: capabilities.includes('pull'),
    canPush: capabilities.includes('push'),
    ...(mirrorOf === undefined || same ? {} : { mirrorOf }),
  };
}

/** In Go's spelling: `1s`, `500ms`, `1m30s`; of `0s` the file has nothing to say. INVALID_ARGUMENT. */
function dialTimeoutOf(value: unknown, path: string): Pick<Endpoint, 'dialTimeout'> {
  if (value === undefined) return {};
  const parts = typeof value === 'string' && /^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m|h))+$/.test(value) ? [...value.matchAll(/([\d.]+)(ms|s|m|h)/g)] : [];
  const milliseconds = parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (units[unit] ?? 0), 0);
  if (parts.length > 0) return milliseconds === 0 ? {} : { dialTimeout: milliseconds };
  throw new OciTarError('INVALID_ARGUMENT', `${path}: dial_timeout is ${JSON.stringify(value)}, no time such as "5s"`, { subject: path });
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function clientIn({ client }: TlsFiles): Pick<TlsFiles, 'client'> {
  return client === undefined ? {} : { client };
}

async function filesOf(value: unknown, path: string): Promise<readonly string[]> {
  const names = typeof value === 'string' ? [value] : Array.isArray(value) ? value.map(String) : [];
  return Promise.all(names.map((name) => pem(join(name.startsWith('/') ? '' : join(path, '..'), name))));
}

/** `"file"` with both in it, `["file", …]`, or pairs `[["cert", "key"], …]`; of several the first. A second file is a key where the first has none. */
async function clientOf(value: unknown, path: string): Promise<TlsFiles['client']> {
  const first: unknown = Array.isArray(value) && Array.isArray(value[0]) ? value[0] : value;
  // containerd takes "" for the key of a file with both in it.
  const [cert, key] = await filesOf(Array.isArray(first) ? first.filter((name) => name !== '') : first, path);
  if (cert === undefined) return undefined;
  return { cert, key: key === undefined || cert.includes(' PRIVATE KEY-----') ? cert : key };
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function urlOf(text: string, subject: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new OciTarError('INVALID_ARGUMENT', `${subject}: ${JSON.stringify(text)} is no address`, { subject, cause });
  }
}
