import { OciTarError } from '../../errors.ts';
import { contextEndpoint, currentContext, dockerFolder, tlsFiles } from './context.ts';
import type { EngineEndpoint, EngineTls } from './context.ts';
import type { DockerEngineOptions } from './options.ts';

/** Where an engine listens. */
export interface EngineAddress {
  /** For people, as it was written. */
  readonly name: string;
  /** What paths of the API are appended to; behind a socket its host means nothing. */
  readonly base: URL;
  readonly socketPath?: string;
  readonly tls?: EngineTls;
}

const standardHost = 'unix:///var/run/docker.sock';

/**
 * Finds the engine as docker does: the host that is given, the context that is given, DOCKER_HOST (with DOCKER_TLS_VERIFY or
 * DOCKER_TLS, and DOCKER_CERT_PATH), DOCKER_CONTEXT, the current context of `~/.docker/config.json` (DOCKER_CONFIG), else /var/run/docker.sock.
 * UNSUPPORTED for ssh:// and what else is no unix or TCP socket; NOT_FOUND for a context that does not exist.
 */
export async function engineAddress({ host, context, env = process.env }: DockerEngineOptions): Promise<EngineAddress> {
  return addressOf(await endpoint(host, context, env));
}

async function endpoint(host: string | undefined, context: string | undefined, env: NonNullable<DockerEngineOptions['env']>): Promise<EngineEndpoint> {
  if (host === undefined && context !== undefined && context !== 'default') return contextEndpoint(context, env);
  const named = host ?? nonEmpty(env['DOCKER_HOST']);
  if (named === undefined && context === undefined) {
    const current = nonEmpty(env['DOCKER_CONTEXT']) ?? (await currentContext(env));
    if (current !== undefined && current !== 'default') return contextEndpoint(current, env);
  }
  const found = named ?? standardHost;
  const [verify, secure] = [env['DOCKER_TLS_VERIFY'], env['DOCKER_TLS']].map((text) => nonEmpty(text) !== undefined);
  const isSecure = (verify === true || secure === true) && !found.startsWith('unix:');
  return isSecure ? { host: found, tls: await tlsFiles(nonEmpty(env['DOCKER_CERT_PATH']) ?? dockerFolder(env), verify === true) } : { host: found };
}

function addressOf({ host, tls }: EngineEndpoint): EngineAddress {
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.*)$/is.exec(host) ?? [];
  if (scheme === 'unix' && rest !== '') return { name: host, base: new URL('http://localhost'), socketPath: rest };
  if (scheme === 'tcp' || scheme === 'http' || scheme === 'https') {
    const base = urlOf(`${tls === undefined && scheme !== 'https' ? 'http' : 'https'}://${rest}`);
    // The ports that IANA has for docker, without TLS and with it.
    if (base !== undefined && base.port === '' && !/:(?:80|443)(?:\/|$)/.test(rest)) base.port = tls === undefined ? '2375' : '2376';
    if (base !== undefined) return { name: host, base, ...(tls === undefined ? {} : { tls }) };
  }
  const shown = withoutPassword(host);
  if (scheme === 'ssh') {
    throw new OciTarError('UNSUPPORTED', `the docker engine at ${shown} is not spoken to over ssh`, {
      subject: shown,
      hint: `Forward its socket: ssh -N -L 127.0.0.1:2375:/var/run/docker.sock ${withoutPassword(rest)} and set DOCKER_HOST=tcp://127.0.0.1:2375`,
    });
  }
  throw new OciTarError('UNSUPPORTED', `${JSON.stringify(shown)} is no address of a docker engine that is understood here`, {
    subject: shown,
    hint: 'Write unix:///PATH or tcp://HOST:PORT, as in DOCKER_HOST.',
  });
}

/** `me:secret@host` without the secret: it may come from the environment, where nobody sees it. One with `@` or `/` in it makes no address, but is one. */
function withoutPassword(address: string): string {
  return address.replace(/^((?:[a-z]+:\/\/)?[^:/@]*):(?!\/\/).*@/i, '$1@');
}

function urlOf(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isBare = url.username === '' && url.password === '' && url.search === '' && url.hash === '' && url.hostname !== '';
  url.pathname = url.pathname.replace(/\/+$/, '');
  return isBare ? url : undefined;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
