import { OciTarError } from '../../errors.ts';
import { isLoopback } from './endpoint.ts';

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
  if (isLoopback(url.host)) return undefined;
  return url.protocol === 'https:' ? proxies.https : proxies.http;
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
