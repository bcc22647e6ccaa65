import { BlockList, isIP } from 'node:net';
import { OciTarError } from '../../errors.ts';
import { hostnameOf, isLoopback } from './endpoint.ts';

/** The proxies that an environment names, by the protocol of what is asked for. */
export interface Proxies {
  readonly http: string | undefined;
  readonly https: string | undefined;
  /** Hosts that are asked without one, as `NO_PROXY` lists them. */
  readonly except: string;
}

/** Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`; small letters come first, as in curl. INVALID_ARGUMENT, without the value: there may be a password in it. */
export function proxiesIn(env: NodeJS.ProcessEnv): Proxies {
  return { http: proxyIn(env, 'http_proxy'), https: proxyIn(env, 'https_proxy'), except: env['no_proxy'] ?? env['NO_PROXY'] ?? '' };
}

/** The proxy that stands before a server, but for `NO_PROXY`. This machine itself is asked directly. */
export function proxyFor(url: URL, proxies: Proxies): string | undefined {
  if (isLoopback(url.host) || isExcepted(url, proxies.except)) return undefined;
  return url.protocol === 'https:' ? proxies.https : proxies.http;
}

/**
 * Whether `NO_PROXY` lists a server, as curl and Go read it: `*`; a name, which stands for all below it too (`.name` and `*.name` are the
 * same); an address, or a range of them (`10.0.0.0/8`); all but ranges perhaps with a port.
 */
function isExcepted(url: URL, except: string): boolean {
  const name = hostnameOf(url.host);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return except.toLowerCase().split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true;
    if (entry.includes('/')) return isWithin(name, entry);
    const [, host = entry, wanted] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
    if (wanted !== undefined && wanted !== port) return false;
    const listed = isIP(host) === 0 ? hostnameOf(host).replace(/^\*?\./, '') : host;
    return listed !== '' && (name === listed || (isIP(name) === 0 && name.endsWith(`.${listed}`)));
  });
}

function isWithin(address: string, range: string): boolean {
  const [, network = '', length = ''] = /^(.*)\/(\d{1,3})$/.exec(range) ?? [];
  const version = isIP(network);
  if (version === 0 || isIP(address) !== version || Number(length) > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, Number(length), family);
  return list.check(address, family);
}

function proxyIn(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name] ?? env[name.toUpperCase()] ?? '';
  if (value === '') return undefined;
  try {
    const url = new URL(value.includes('://') ? value : `http://${value}`);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url.href;
  } catch {
    // Told below.
  }
  throw new OciTarError('INVALID_ARGUMENT', `${name.toUpperCase()} is not the address of an HTTP proxy`, { subject: name.toUpperCase(), hint: 'Write it as http://HOST:PORT.' });
}
