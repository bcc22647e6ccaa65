import type { Dispatcher } from 'undici';
import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError } from '../../errors.ts';
import { requestBody } from '../http-body.ts';
import { hostnameOf, isLoopback } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { connectionFailure, mayPass, speaksNoTls } from './failure.ts';
import { defaultConnections, defaultTimeout } from './options.ts';
import type { RegistryOptions } from './options.ts';

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
  #dispatchers: Promise<{ readonly own: Dispatcher; readonly other: Dispatcher }> | undefined;

  constructor(endpoint: Endpoint, options: RegistryOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
  }

  /** One attempt. Redirects are not followed. */
  async send({ method, url, headers = {}, body, signal }: HttpRequest): Promise<HttpAnswer> {
    signal?.throwIfAborted();
    const { request } = await import('undici');
    this.#dispatchers ??= this.#open();
    const { own, other } = await this.#dispatchers;
    const source = typeof body === 'function' ? body() : body;
    const sent = source === undefined ? undefined : requestBody(source);
    const answer = await request(url, {
      method,
      headers: { ...headers },
      dispatcher: url.origin === this.#endpoint.base.origin || hostnameOf(url.host) === hostnameOf(this.#endpoint.base.host) ? own : other,
      ...(sent === undefined ? {} : { body: sent.body }),
      ...(signal === undefined ? {} : { signal }),
      // undici closes the connection after a HEAD otherwise, and a push asks by HEAD for each blob.
      ...(method === 'HEAD' ? { reset: false } : {}),
    }).catch((error: unknown) => {
      const failed = sent?.failure();
      throw failed === undefined ? new ConnectionError(connectionFailure(error, url, signal), mayPass(error), speaksNoTls(error)) : failed.reason;
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
    const dispatchers = await this.#dispatchers?.catch(() => undefined);
    this.#dispatchers = undefined;
    await dispatchers?.own.destroy();
    await dispatchers?.other.destroy();
  }

  async #open(): Promise<{ readonly own: Dispatcher; readonly other: Dispatcher }> {
    const { Agent, EnvHttpProxyAgent } = await import('undici');
    const { tls, verifyTls, base } = this.#endpoint;
    const { timeout = defaultTimeout, connections = defaultConnections, env = process.env } = this.#options;
    const common = { connections, headersTimeout: timeout, bodyTimeout: timeout, pipelining: 1 };
    const connect = { timeout: Math.min(timeout, 30_000), ...(tls.ca.length === 0 ? {} : { ca: [...(await systemAuthorities()), ...tls.ca] }), ...tls.client, rejectUnauthorized: verifyTls };
    const proxies = {
      httpProxy: env['http_proxy'] ?? env['HTTP_PROXY'] ?? '',
      httpsProxy: env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '',
      noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '',
    };
    const direct = isLoopback(base.host) || (proxies.httpProxy === '' && proxies.httpsProxy === '');
    const make = (options: typeof connect) => (direct ? new Agent({ ...common, connect: options }) : new EnvHttpProxyAgent({ ...common, ...proxies, connect: options, requestTls: options }));
    // Where a registry sends us on to somebody else, its own authorities and our certificate are of no concern.
    return { own: make(connect), other: make({ timeout: connect.timeout, rejectUnauthorized: true }) };
  }
}

/** A request that got no answer. What callers see is `failure`. */
export class ConnectionError extends Error {
  readonly failure: unknown;
  readonly mayPass: boolean;
  readonly speaksNoTls: boolean;

  constructor(failure: unknown, passing: boolean, noTls: boolean) {
    super('no answer');
    this.failure = failure;
    this.mayPass = passing;
    this.speaksNoTls = noTls;
  }
}

async function systemAuthorities(): Promise<readonly string[]> {
  const { rootCertificates } = await import('node:tls');
  return rootCertificates;
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
