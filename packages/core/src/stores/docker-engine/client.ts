import type { Agent } from 'undici';
import type { GenericSchema } from 'valibot';
import { collect } from '../../bytes/source.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { parseJson } from '../../spec/json.ts';
import { check } from '../../spec/schema.ts';
import { requestBody } from '../http-body.ts';
import { engineAddress } from './address.ts';
import type { EngineAddress } from './address.ts';
import { answerFailure, connectionFailure, failureLimit, messageIn } from './failure.ts';
import { defaultTimeout, defaultWorkTimeout } from './options.ts';
import type { DockerEngineOptions } from './options.ts';
import { chosenVersion } from './version.ts';

/** A short answer may be so long, in bytes: a list of 20,000 images takes 10 MiB. */
const answerLimit = 64 * 1024 * 1024;

export interface EngineRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Below the version: `/images/json`. */
  readonly path: string;
  readonly query?: readonly (readonly [key: string, value: string])[];
  readonly body?: { readonly type: string; readonly bytes: ByteStream };
  /** What is asked for, for messages: `list its images`. */
  readonly what: string;
  /** What it is about, for messages: a name, a container. */
  readonly subject?: string;
  /** Answers that are no failure, beside all of 2xx. */
  readonly expect?: readonly number[];
  /** The engine may work for long before it answers. */
  readonly work?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface EngineAnswer {
  readonly status: number;
  header(name: string): string | undefined;
  /** In the runs in which it comes; errors are ours. */
  readonly body: ByteStream;
  /** What a failure says. */
  message(): Promise<string>;
  discard(): Promise<void>;
}

/** Speaks the engine's HTTP API, over its socket or TCP, in a version that both know. Nothing is asked before it is needed. */
export class EngineClient {
  readonly address: EngineAddress;
  readonly #options: DockerEngineOptions;
  #agent: Promise<Agent> | undefined;
  #version: Promise<string> | undefined;

  private constructor(address: EngineAddress, options: DockerEngineOptions) {
    this.address = address;
    this.#options = options;
  }

  static async open(options: DockerEngineOptions): Promise<EngineClient> {
    return new EngineClient(await engineAddress(options), options);
  }

  /** Of the API, such as `1.41`. */
  version(): Promise<string> {
    this.#version ??= this.#negotiated().catch((error: unknown) => {
      this.#version = undefined;
      throw error;
    });
    return this.#version;
  }

  /** An answer of 2xx, or one that is expected; its body is the caller's to read or discard. Errors as `failure.ts` tells them. */
  async request(request: EngineRequest): Promise<EngineAnswer> {
    const { path, query = [], expect = [] } = request;
    const search = new URLSearchParams();
    for (const [key, value] of query) search.append(key, value);
    const answer = await this.#send(request, `/v${await this.version()}${path}${query.length === 0 ? '' : `?${search.toString()}`}`);
    if ((answer.status >= 200 && answer.status < 300) || expect.includes(answer.status)) return answer;
    throw answerFailure(request.what, answer.status, await answer.message(), request.subject ?? this.address.name);
  }

  async close(): Promise<void> {
    const agent = await this.#agent?.catch(() => undefined);
    this.#agent = undefined;
    await agent?.destroy();
  }

  async #negotiated(): Promise<string> {
    const { env = process.env } = this.#options;
    const answer = await this.#send({ method: 'GET', path: '', what: 'answer a ping' }, '/_ping');
    const offered = answer.header('api-version');
    if (answer.status !== 200) throw answerFailure('answer a ping', answer.status, await answer.message(), this.address.name);
    await answer.discard();
    return chosenVersion(offered, env['DOCKER_API_VERSION'], this.address.name);
  }

  async #send({ method, body, work = false, signal }: EngineRequest, path: string): Promise<EngineAnswer> {
    const stop = joined(signal, this.#options.signal);
    stop?.throwIfAborted();
    this.#agent ??= this.#open();
    const { timeout = defaultTimeout, workTimeout = defaultWorkTimeout } = this.#options;
    const patience = work ? workTimeout : timeout;
    const sent = body === undefined ? undefined : requestBody(body.bytes);
    const { base } = this.address;
    const url = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base);
    const agent = await this.#agent;
    const answer = await agent.request({
      method,
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      headers: { 'user-agent': 'oci-tar', ...(body === undefined ? {} : { 'content-type': body.type }) },
      headersTimeout: patience,
      bodyTimeout: patience,
      ...(sent === undefined ? {} : { body: sent.body }),
      ...(stop === undefined ? {} : { signal: stop }),
    }).catch(async (error: unknown) => {
      const failed = sent?.failure();
      throw failed === undefined ? await connectionFailure(error, this.address, stop) : failed.reason;
    });
    const address = this.address;
    const bytes = (async function* (): ByteStream {
      try {
        yield* answer.body;
      } catch (error) {
        throw await connectionFailure(error, address, stop);
      }
    })();
    return {
      status: answer.statusCode,
      header(name) {
        const value = answer.headers[name];
        return typeof value === 'string' ? value : value?.[0];
      },
      body: bytes,
      async message() {
        const chunks: Uint8Array[] = [];
        let size = 0;
        for await (const chunk of bytes) {
          chunks.push(chunk);
          size += chunk.byteLength;
          if (size >= failureLimit) break;
        }
        return messageIn(Buffer.concat(chunks).subarray(0, failureLimit).toString());
      },
      async discard() {
        await answer.body.dump({ limit: failureLimit }).catch(() => {});
      },
    };
  }

  async #open(): Promise<Agent> {
    const { Agent: Pool } = await import('undici');
    const { socketPath, tls } = this.address;
    const { timeout = defaultTimeout } = this.#options;
    const { verify = true, ...files } = tls ?? {};
    const where = socketPath === undefined ? { ...files, rejectUnauthorized: verify } : { socketPath };
    return new Pool({ pipelining: 1, connect: { timeout: Math.min(timeout, 30_000), ...where } });
  }
}

function joined(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  return a === undefined || b === undefined ? (a ?? b) : AbortSignal.any([a, b]);
}

/** A short answer in JSON, as far as it is looked at. ENGINE for one that is not what the API says; LIMIT_EXCEEDED. */
export async function checkedAnswer<T>(client: EngineClient, answer: EngineAnswer, schema: GenericSchema<unknown, T>, what: string): Promise<T> {
  try {
    return check(schema, parseJson(await collect(answer.body, answerLimit, what), { limits: { bytes: answerLimit, depth: 64 }, subject: what }), what);
  } catch (error) {
    if (isOciTarError(error, 'INVALID_JSON') || isOciTarError(error, 'INVALID_MANIFEST')) throw strange(client, `gave no answer that is understood: ${error.message}`, error);
    throw error;
  }
}

/** An engine that does not do as the API says. */
export function strange(client: EngineClient, why: string, cause?: unknown): OciTarError {
  return new OciTarError('ENGINE', `the docker engine at ${client.address.name} ${why}`, { subject: client.address.name, ...(cause === undefined ? {} : { cause }) });
}
