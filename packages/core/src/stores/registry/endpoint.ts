import { isIP } from 'node:net';
import type { TlsFiles } from './certificates.ts';

/** One server that can be asked for what a registry holds: the registry itself, or a mirror of it. */
export interface Endpoint {
  /** Origin and the path before `/<name>/…`: `https://registry-1.docker.io/v2`. */
  readonly base: URL;
  /** On loopback it is found out whether it speaks TLS. */
  readonly probe: boolean;
  readonly tls: TlsFiles;
  /** False only where a `hosts.toml` says so. */
  readonly verifyTls: boolean;
  /** Sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds until a connection has to stand, where a `hosts.toml` says so. */
  readonly dialTimeout?: number;
  readonly canResolve: boolean;
  readonly canPull: boolean;
  readonly canPush: boolean;
  /** A mirror is told which registry it stands for. */
  readonly mirrorOf?: string;
}

/** The server behind the name of a registry. */
export function serverOf(registry: string): string {
  return registry === 'docker.io' || registry === 'index.docker.io' ? 'registry-1.docker.io' : registry;
}

/** Whether a host (`localhost`, `127.0.0.1:5000`, `[::1]`) is this machine itself. */
export function isLoopback(host: string): boolean {
  const name = hostnameOf(host).toLowerCase();
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return isIP(name) === 4 ? name.startsWith('127.') : isIP(name) === 6 && new URL(`http://[${name}]`).hostname === '[::1]';
}

/** A host without its port and brackets. */
export function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

/** A URL for messages: without query, which may be signed, and without user and password. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
