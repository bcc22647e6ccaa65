import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { Authenticator } from './auth.ts';
import type { Endpoint } from './endpoint.ts';
import { answerFailure, failureLimit, passes } from './failure.ts';
import { defaultRetries } from './options.ts';
import type { RegistryOptions } from './options.ts';
import { ConnectionError, Transport, failureOf } from './transport.ts';
import type { HttpAnswer, HttpRequest } from './transport.ts';

export interface RegistryRequest {
  readonly method: HttpRequest['method'];
  /** Below the endpoint's base (`hello/manifests/1`), or an address that the registry itself gave. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpRequest['body'];
  /** What is to be allowed: `repository:hello:pull,push`. */
  readonly scopes: readonly string[];
  readonly repository?: string;
  /** Answers that are no failure, beside all of 2xx. */
  readonly expect?: readonly number[];
  /** How often it is sent again; as the options say by default. */
  readonly retries?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The longest that a registry may have us wait at once, in milliseconds; told to wait longer, we say so and stop. */
const longestWait = 60_000;
const mostRedirects = 5;

/** Talks to one endpoint: signs in when asked to, follows redirects, tries again what may pass. */
export class RegistryClient {
  readonly endpoint: Endpoint;
  readonly #options: RegistryOptions;
  readonly #transport: Transport;
  readonly #auth: Authenticator;
  readonly #warned = new Set<string>();
  #base: Promise<URL> | undefined;

  /** `registry` is the name by which its credentials are kept. */
  constructor(registry: string, endpoint: Endpoint, options: RegistryOptions) {
    this.endpoint = endpoint;
    this.#options = options;
    // Each request under way listens to it.
    if (options.signal !== undefined) setMaxListeners(0, options.signal);
    this.#transport = new Transport(endpoint, options);
    this.#auth = new Authenticator(registry, this.#transport, options);
  }

  /** An answer of 2xx, or one that is expected. Its body is the caller's to read or discard. Errors as `failure.ts` tells them. */
  async request(request: RegistryRequest): Promise<HttpAnswer> {
    const signal = joined(request.signal, this.#options.signal);
    const { retries = this.#options.retries ?? defaultRetries } = request;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await this.#signedIn({ ...request, signal });
        this.#warn(answer);
        if ((answer.status >= 200 && answer.status < 300) || request.expect?.includes(answer.status) === true) return answer;
        const failure = this.#auth.explain(answerFailure(request.method, answer.url, answer.status, request.method === 'HEAD' ? '' : await answer.text(failureLimit)));
        const wait = passes(answer.status) && attempt < retries ? waitFor(answer, attempt) : undefined;
        if (wait === undefined || wait > longestWait) throw failure;
        await sleep(wait, undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        if (!error.mayPass || attempt >= retries || signal?.aborted === true) throw isOciTarError(error.failure) ? this.#auth.explain(error.failure) : error.failure;
        await sleep(backoff(attempt), undefined, signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted());
      }
    }
  }

  /** The address of a path, once it is known whether the registry speaks TLS. */
  async address(path: string, signal?: AbortSignal): Promise<URL> {
    this.#base ??= this.#probe(signal).catch((error: unknown) => {
      this.#base = undefined;
      throw error;
    });
    const base = await this.#base;
    return new URL(`${base.pathname.replace(/\/$/, '')}/${path}`, base);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #signedIn(request: RegistryRequest): Promise<HttpAnswer> {
    const { scopes, repository, signal } = request;
    const url = typeof request.path === 'string' ? await this.address(request.path, signal) : request.path;
    const first = await this.#follow(request, url, await this.#auth.header(scopes, repository, signal));
    if (first.status !== 401 || !this.#auth.learn(first, scopes)) return first;
    const header = await this.#auth.header(scopes, repository, signal);
    if (header === undefined) return first;
    await first.discard();
    return this.#follow(request, url, header);
  }

  /** Follows redirects. Credentials and what a `hosts.toml` adds go to the endpoint's own origin alone. */
  async #follow(request: RegistryRequest, from: URL, authorization: string | undefined): Promise<HttpAnswer> {
    let { method } = request;
    let { body } = request;
    let url = from;
    const base = (await this.#base) ?? this.endpoint.base;
    checkTls(base, from);
    for (let count = 0; ; count++) {
      const home = url.origin === base.origin;
      const headers = { 'user-agent': 'oci-tar', ...request.headers, ...(home ? this.endpoint.headers : {}), ...(home && authorization !== undefined ? { authorization } : {}) };
      const answer = await this.#transport.send({ method, url, headers, ...(body === undefined ? {} : { body }), signal: request.signal });
      const location = [301, 302, 303, 307, 308].includes(answer.status) ? answer.header('location') : undefined;
      if (location === undefined) return answer;
      await answer.discard();
      if (count === mostRedirects) throw new OciTarError('REGISTRY', `${from.host} sends us from one address to the next`, { subject: from.host });
      const next = locationOf(location, url);
      checkTls(url, next);
      // As browsers and Go do: 303, and 301 and 302 of what is no reading, become a reading.
      if (answer.status === 303 || (answer.status < 307 && method !== 'GET' && method !== 'HEAD')) [method, body] = ['GET', undefined];
      url = next;
    }
  }

  /** On loopback HTTP is tried first: a server of TLS says at once that it speaks none, while a first try of TLS costs 35 ms. */
  async #probe(signal?: AbortSignal): Promise<URL> {
    const { base, probe, tls } = this.endpoint;
    if (!probe) return base;
    const plain = new URL(base);
    plain.protocol = 'http:';
    // Whoever has certificates for it means TLS.
    if (tls.ca.length === 0 && tls.client === undefined && (await this.#answersPlainly(plain, signal))) return plain;
    try {
      await (await this.#ping(base, signal)).discard();
      return base;
    } catch (error) {
      if (!(error instanceof ConnectionError) || !error.speaksNoTls) throw failureOf(error);
      return plain;
    }
  }

  /** Servers of TLS answer 400 or nothing that is HTTP; some send one on to TLS. */
  async #answersPlainly(base: URL, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      const answer = await this.#ping(base, signal);
      await answer.discard();
      return answer.status !== 400 && answer.header('location') === undefined;
    } catch (error) {
      if (error instanceof ConnectionError && !isOciTarError(error.failure, 'TIMEOUT')) return false;
      throw failureOf(error);
    }
  }

  #ping(base: URL, signal: AbortSignal | undefined): Promise<HttpAnswer> {
    return this.#transport.send({ method: 'GET', url: new URL(`${base.pathname.replace(/\/$/, '')}/`, base), signal });
  }

  #warn(answer: HttpAnswer): void {
    for (const header of answer.headers('warning').slice(0, 10)) {
      // distribution-spec, "Warnings": 299 - "text".
      const [, text] = /^299\s+\S+\s+"((?:[^"\\]|\\.){1,1000})"/.exec(header) ?? [];
      if (text === undefined || this.#warned.has(text) || this.#warned.size >= 100) continue;
      this.#warned.add(text);
      this.#options.onWarning?.(text.replace(/\\(.)/g, '$1'));
    }
  }
}

/** An address that a server gave, perhaps relative to the one it was asked at. REGISTRY where it is none. */
export function locationOf(location: string, from: URL): URL {
  try {
    const url = new URL(location, from);
    if (url.protocol === 'https:' || url.protocol === 'http:') {
      url.username = '';
      url.password = '';
      return url;
    }
  } catch {
    // Told below.
  }
  throw new OciTarError('REGISTRY', `${from.host} gave an address that is none`, { subject: from.host });
}

/** Neither a redirect nor the address of an upload leads from TLS to plain HTTP. */
function checkTls(from: URL, to: URL): void {
  if (from.protocol === 'https:' && to.protocol !== 'https:') throw new OciTarError('REGISTRY', `${from.host} sends us on to ${to.host}, which speaks no TLS`, { subject: to.host });
}

function waitFor(answer: HttpAnswer, attempt: number): number {
  const after = answer.header('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(after)) return Number(after) * 1000;
  const date = after === '' ? Number.NaN : Date.parse(after);
  return Number.isNaN(date) ? backoff(attempt) : Math.max(0, date - Date.now());
}

/** 0.2, 0.4, 0.8 … seconds, and up to half as much again, so that many clients do not come back as one. */
function backoff(attempt: number): number {
  return 200 * 2 ** attempt * (1 + Math.random() / 2);
}

function joined(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a === undefined || b === undefined ? (a ?? b) : AbortSignal.any([a, b]);
}

/** Whether an error says that an endpoint cannot help, so that the next one may be asked. */
export function isOtherwhere(error: unknown): boolean {
  return isOciTarError(error) && ['NOT_FOUND', 'REGISTRY', 'TIMEOUT', 'UNAUTHORIZED', 'FORBIDDEN'].includes(error.code);
}
