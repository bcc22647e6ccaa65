import type { Client, ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import type { MethodDefinition, PackageDefinition } from '@grpc/proto-loader';
import * as v from 'valibot';
import { OciTarError } from '../../errors.ts';
import { probe } from './address.ts';
import { protos } from './protos.ts';

/** As much as ctr takes: a list of images comes in one message. */
const messageLimit = 16 * 1024 * 1024;

/** How much may be under way before its reader has read it. The 64 KiB that HTTP/2 begins with cost a third of the speed. */
const windowSize = 4 * 1024 * 1024;

type Method = MethodDefinition<object, object>;
type Schema<T> = v.GenericSchema<unknown, T>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until it fails; none by default. */
  readonly timeout?: number;
}

/** Calls to one containerd in one namespace. Failed calls throw as gRPC has them: see failure.ts. */
export class Connection {
  readonly address: string;
  readonly namespace: string;
  readonly #client: Client;
  readonly #methods: PackageDefinition;
  readonly #metadata: Metadata;

  private constructor(address: string, namespace: string, client: Client, methods: PackageDefinition, metadata: Metadata) {
    this.address = address;
    this.namespace = namespace;
    this.#client = client;
    this.#methods = methods;
    this.#metadata = metadata;
  }

  /** ENGINE when nothing answers at the socket, FORBIDDEN with whom it belongs to. */
  static async open(address: string, namespace: string): Promise<Connection> {
    await probe(address);
    const [grpc, loader] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]);
    const declared: Parameters<typeof loader.fromJSON>[0] = JSON.parse(protos);
    const methods = loader.fromJSON(declared, { longs: Number, enums: String, defaults: true, arrays: true, objects: true });
    const client = new grpc.Client(`unix:${address}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': messageLimit,
      'grpc.max_send_message_length': messageLimit,
      'grpc-node.flow_control_window': windowSize,
      'grpc.enable_http_proxy': 0,
      // What is closed here is closed, whoever else speaks to the same socket.
      'grpc.use_local_subchannel_pool': 1,
      // A daemon that went away is told of at once; a write cannot be repeated blindly.
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
    });
    const metadata = new grpc.Metadata();
    metadata.set('containerd-namespace', namespace);
    return new Connection(address, namespace, client, methods, metadata);
  }

  /** The same connection, with whatever is made through it held by a lease. */
  leased(lease: string): Connection {
    const metadata = this.#metadata.clone();
    metadata.set('containerd-lease', lease);
    return new Connection(this.address, this.namespace, this.#client, this.#methods, metadata);
  }

  /** One question, one answer. `name` is `Service/Method`. */
  call<T>(name: string, request: object, answer: Schema<T>, { signal, timeout }: CallOptions = {}): Promise<T> {
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const deadline = timeout === undefined ? {} : { deadline: Date.now() + timeout };
      const call = this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.#metadata, deadline, (error, response) => {
        signal?.removeEventListener('abort', onAbort);
        if (signal?.aborted === true) return reject(signal.reason);
        if (error !== null) return reject(error);
        try {
          resolve(checked(answer, response, name));
        } catch (problem) {
          reject(problem);
        }
      });
      const onAbort = () => call.cancel();
      signal?.addEventListener('abort', onAbort);
    });
  }

  /** One question, many answers. Whoever stops reading ends the call. */
  async *answers<T>(name: string, request: object, answer: Schema<T>, { signal }: CallOptions = {}): AsyncGenerator<T, void, void> {
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    signal?.throwIfAborted();
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, this.#metadata);
    const onAbort = () => call.cancel();
    signal?.addEventListener('abort', onAbort);
    try {
      for await (const response of call) yield checked(answer, response, name);
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      call.cancel();
    }
  }

  /** Questions and answers in turn, for as long as both sides like. */
  exchange<T>(name: string, answer: Schema<T>, { signal }: CallOptions = {}): Exchange<T> {
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    signal?.throwIfAborted();
    return new Exchange(this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata), (response) => checked(answer, response, name), signal);
  }

  close(): void {
    this.#client.close();
  }

  #method(name: string): Method {
    const [service = '', method = ''] = name.split('/');
    const found = this.#methods[`containerd.services.${service.toLowerCase()}.v1.${service}`];
    const definition = found === undefined || 'format' in found ? undefined : found[method];
    if (definition === undefined) throw new TypeError(`protos.ts has no ${name}`);
    return definition;
  }
}

/** A stream of questions with an answer to each, in their order. */
export class Exchange<T> {
  readonly #call: ClientDuplexStream<object, object>;
  readonly #answers: AsyncIterator<unknown>;
  readonly #check: (response: unknown) => T;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = () => this.#call.cancel();

  constructor(call: ClientDuplexStream<object, object>, check: (response: unknown) => T, signal: AbortSignal | undefined) {
    this.#call = call;
    this.#check = check;
    this.#signal = signal;
    // Between two reads nobody listens, and an error without a listener ends the process; the next read throws it.
    call.on('error', () => {});
    this.#answers = call[Symbol.asyncIterator]();
    signal?.addEventListener('abort', this.#onAbort);
  }

  send(request: object): void {
    this.#call.write(request);
  }

  /** The next answer; undefined when the other side is done. */
  async receive(): Promise<T | undefined> {
    try {
      const next = await this.#answers.next();
      return next.done === true ? undefined : this.#check(next.value);
    } catch (error) {
      throw this.#signal?.aborted === true ? this.#signal.reason : error;
    }
  }

  /** Ends the stream, whatever is under way. Harmless when it has ended. */
  close(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#call.cancel();
  }
}

/** An answer as it is declared. ENGINE where it makes no sense. */
function checked<T>(schema: Schema<T>, response: unknown, name: string): T {
  const result = v.safeParse(schema, response, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new OciTarError('ENGINE', `containerd gave no sound answer to ${name}: ${v.getDotPath(issue) ?? 'it'} ${issue.message}`, { subject: name });
}
