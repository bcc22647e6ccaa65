import type { Dispatcher } from 'undici';
import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import { requestBody } from '../http-body.ts';
import { secureContextOf, systemAuthorities } from './certificates.ts';
import { connector } from './connector.ts';
import { hostnameOf } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { connectionFailure, hasUnknownAuthority, mayPass, speaksNoTls } from './failure.ts';
import { defaultConnections, defaultTimeout } from './options.ts';
import type { RegistryOptions } from './options.ts';
import { proxiesIn, proxyFor } from './proxies.ts';
import type { Proxies } from './proxies.ts';
import { tunnelsOf } from './tunnels.ts';

/** Until a connection stands, in ms. */
const longestDial = 30_000;

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each attempt. */
  readonly body?: Uint8Array | (() => ByteStream);
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  header(name: string): string | undefined;
  /** All values of a header. */
  headers(name: string): readonly string[];
  /** In the runs in which it comes; errors are ours. */
  readonly body: ByteStream;
  /** At most `limit` bytes as text, the rest is dropped. */
  text(limit: number): Promise<string>;
  /** Gives the body up. */
  discard(): Promise<void>;
}

/** Sends single requests: one pool of connections to each server, TLS checked, proxies as the environment says. */
export class Transport {
  readonly #endpoint: Endpoint;
  readonly #options: RegistryOptions;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  #proxies: Proxies | undefined;
  /** Authorities beside Node's own, once one was needed that those do not know: to read them takes 60 ms. */
  #system: readonly string[] | undefined;

  constructor(endpoint: Endpoint, options: RegistryOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
  }

  /** One attempt. Redirects are not followed. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const known = this.#system;
    try {
      return await this.#send(request);
    } catch (error) {
      if (!(error instanceof ConnectionError) || !error.hasUnknownAuthority || known !== undefined) throw error;
      this.#system ??= await systemAuthorities(this.#options.env ?? process.env);
      if (this.#system.length === 0) throw error;
      return this.#send(request);
    }
  }

  async #send({ method, url, headers = {}, body, signal }: HttpRequest): Promise<HttpAnswer> {
    signal?.throwIfAborted();
    this.#proxies ??= proxiesIn(this.#options.env ?? process.env);
    const proxy = proxyFor(url, this.#proxies);
    const source = typeof body === 'function' ? body() : body;
    const sent = source === undefined ? undefined : requestBody(source);
    const dispatcher = await this.#dispatcherFor(url, proxy);
    const request = dispatcher.request({
      method,
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: { ...headers },
      ...(sent === undefined ? {} : { body: sent.body }),
      ...(signal === undefined ? {} : { signal }),
      // undici closes the connection after a HEAD otherwise, and a push asks by HEAD for each blob.
      ...(method === 'HEAD' ? { reset: false } : {}),
    });
    const answer = await request.catch((error: unknown) => {
      const failed = sent?.failure();
      throw failed === undefined ? new ConnectionError(connectionFailure(error, url, signal, proxy), mayPass(error), speaksNoTls(error), hasUnknownAuthority(error)) : failed.reason;
    });
    const values = (name: string): readonly string[] => {
      const value = answer.headers[name];
      return value === undefined ? [] : Array.isArray(value) ? value : [value];
    };
    return {
      status: answer.statusCode,
      url,
      header: (name) => values(name)[0],
      headers: values,
      body: bodyOf(answer.body, url, signal),
      async text(limit) {
        const chunks: Uint8Array[] = [];
        let size = 0;
        for await (const chunk of bodyOf(answer.body, url, signal)) {
          chunks.push(chunk);
          size += chunk.byteLength;
          if (size >= limit) break;
        }
        return Buffer.concat(chunks).subarray(0, limit).toString();
      },
      async discard() {
        // A short rest is read, so that the connection can be used again.
        await answer.body.dump({ limit: 64 * 1024 }).catch(() => {});
      },
    };
  }

  async close(): Promise<void> {
    const dispatchers = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    for (const dispatcher of dispatchers) await (await dispatcher.catch(() => undefined))?.destroy();
  }

  #dispatcherFor(url: URL, proxy: string | undefined): Promise<Dispatcher> {
    const own = hostnameOf(url.host) === hostnameOf(this.#endpoint.base.host);
    const key = `${own} ${this.#system !== undefined} ${proxy ?? ''}`;
    const dispatcher = this.#dispatchers.get(key) ?? this.#open(own, proxy);
    this.#dispatchers.set(key, dispatcher);
    return dispatcher;
  }

  async #open(own: boolean, proxy: string | undefined): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent, Pool, buildConnector } = await import('undici');
    const { tls, verifyTls, dialTimeout = longestDial } = this.#endpoint;
    const { timeout = defaultTimeout, connections = defaultConnections } = this.#options;
    const common = { connections, headersTimeout: timeout, bodyTimeout: timeout, pipelining: 1 };
    const patience = { timeout: Math.min(timeout, dialTimeout) };
    // Where a registry sends us on to somebody else, its own authorities and our certificate are of no concern.
    const more = [...(this.#system ?? []), ...(own ? tls.ca : [])];
    const client = own ? tls.client : undefined;
    const { rootCertificates } = await import('node:tls');
    // Made once: for each connection it would be read anew.
    const trusted = more.length === 0 ? {} : { ca: [...rootCertificates, ...more] };
    const secureContext = more.length === 0 && client === undefined ? {} : { secureContext: await secureContextOf({ ...trusted, ...client }, this.#endpoint.base.host) };
    const connect = { ...patience, ...secureContext, rejectUnauthorized: !own || verifyTls };
    if (proxy === undefined) return new Agent({ ...common, connect: connector(buildConnector, connect) });
    // Proxies are asked for a tunnel to TLS alone: many allow no other. What goes without one has been told apart before.
    return new EnvHttpProxyAgent({ ...common, httpProxy: proxy, httpsProxy: proxy, noProxy: '', proxyTunnel: false, connect, requestTls: connect, proxyTls: trusted, clientFactory: tunnelsOf(Pool) });
  }
}

/** A request that got no answer. What callers see is `failure`. */
export class ConnectionError extends Error {
  readonly failure: unknown;
  readonly mayPass: boolean;
  readonly speaksNoTls: boolean;
  readonly hasUnknownAuthority: boolean;

  constructor(failure: unknown, passing: boolean, noTls: boolean, unknownAuthority = false) {
    super('no answer');
    this.failure = failure;
    this.mayPass = passing;
    this.speaksNoTls = noTls;
    this.hasUnknownAuthority = unknownAuthority;
  }
}

async function* bodyOf(body: AsyncIterable<Uint8Array>, url: URL, signal: AbortSignal | undefined): ByteStream {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    throw new ConnectionError(connectionFailure(error, url, signal), mayPass(error), false);
  }
}

/** The error that a caller is to see. */
export function failureOf(error: unknown): unknown {
  return error instanceof ConnectionError ? error.failure : error;
}

/** REGISTRY for a header that should be there. */
export function missingHeader(answer: HttpAnswer, name: string): OciTarError {
  return new OciTarError('REGISTRY', `${answer.url.host} answered without the header ${name}`, { subject: answer.url.host });
}
