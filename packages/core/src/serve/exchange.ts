import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ByteStream } from '../bytes/types.ts';
import type { RegistryHandler } from './handler.ts';
import { ClientGone } from './message.ts';
import type { ServeRequest, ServeResponse } from './message.ts';
import type { Access } from './metrics.ts';

/** How long a client may take. All in ms. */
export interface ClientPatience {
  /** For the headers of a request. */
  readonly headers: number;
  /** For the next piece of a body that it sends, and for taking a piece of up to 1 MiB that it is sent. */
  readonly piece: number;
  /** For its next request on the same connection. */
  readonly idle: number;
}

export const defaultPatience: ClientPatience = { headers: 10_000, piece: 60_000, idle: 15_000 };

/** Past the first minute a body has to come at this rate, in bytes a second: one byte a minute is an attack. */
const slowest = 1024;

/** What a client still sends after it has been refused is read for so long, in ms: else it would not see why. */
const lastWords = 1000;

interface Options {
  readonly patience: ClientPatience;
  readonly onAccess?: (access: Access) => void;
}

/** One request over HTTP, from its headers to the end of its answer. Never throws. */
export async function exchange(handler: RegistryHandler, request: IncomingMessage, response: ServerResponse, options: Options, expectsContinue: boolean): Promise<void> {
  const [at, begun] = [Date.now(), performance.now()];
  const moved = { received: 0, sent: 0 };
  const body = bodyOf(request, response, options.patience.piece, expectsContinue, (count) => (moved.received += count));
  const { method = 'GET', url = '/' } = request;
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  const asked: ServeRequest = { method, target: url, headers: textsOf(request), ...(hasBody ? { body } : {}) };
  // Before anything is waited for: a client that goes away at once would be an unhandled error.
  response.on('error', () => {});
  const client = request.socket.remoteAddress ?? '-';
  const answer = await handler.handle(asked);
  let { status } = answer;
  try {
    await send(request, response, answer, options.patience.piece, (count) => (moved.sent += count));
  } catch {
    status = 499;
    response.destroy();
  }
  const { route = 'other', user } = answer;
  const agent = request.headers['user-agent'];
  const access: Access = { at, client, method, target: url, route, status, ...moved, took: performance.now() - begun, ...(user === undefined ? {} : { user }), ...(agent === undefined ? {} : { agent }) };
  handler.metrics.add(access);
  options.onAccess?.(access);
}

/** Several headers of one name are one, as Node joins them; those that must not be joined come once. */
function textsOf({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
}

async function* bodyOf(request: IncomingMessage, response: ServerResponse, patience: number, expectsContinue: boolean, onBytes: (count: number) => void): ByteStream {
  if (expectsContinue) response.writeContinue();
  // Not destroyed when it is not read to its end: the answer goes over the same connection.
  const pieces = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  let [waited, received] = [0, 0];
  for (;;) {
    const since = performance.now();
    const next = await within(patience, pieces.next().catch(cutOff), request);
    if (next.done === true) return;
    const piece: unknown = next.value;
    if (!(piece instanceof Uint8Array)) throw new TypeError('a body comes in bytes');
    waited += performance.now() - since;
    received += piece.byteLength;
    onBytes(piece.byteLength);
    if (waited > patience && received / (waited / 1000) < slowest) throw gone(request, 'the client sends too slowly');
    yield piece;
  }
}

async function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: ServeResponse, patience: number, onBytes: (count: number) => void): Promise<void> {
  // Read to its end it would keep the connection for as long as the client likes.
  const unread = !request.complete;
  response.writeHead(status, { ...headers, ...(unread ? { connection: 'close' } : {}) });
  if (body instanceof Uint8Array) {
    onBytes(body.byteLength);
    response.end(body);
  } else {
    if (body !== undefined) await sendStream(request, response, body, patience, onBytes);
    response.end();
  }
  await flushed(request, response, patience);
  if (!unread) return;
  request.resume();
  setTimeout(() => request.socket.destroy(), lastWords).unref();
}

async function sendStream(request: IncomingMessage, response: ServerResponse, body: ByteStream, patience: number, onBytes: (count: number) => void): Promise<void> {
  for await (const run of body) {
    if (response.destroyed) throw gone(request, 'the client has gone');
    if (!response.write(run)) await within(patience, event(response, 'drain'), request);
    onBytes(run.byteLength);
  }
}

async function flushed(request: IncomingMessage, response: ServerResponse, patience: number): Promise<void> {
  if (response.writableFinished) return;
  await within(patience, event(response, 'finish'), request);
}

/** Resolves with the event, and rejects when the connection is closed before. */
function event(response: ServerResponse, name: 'drain' | 'finish'): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      response.off('close', closed);
      resolve();
    };
    const closed = () => {
      response.off(name, done);
      reject(new ClientGone('the client has gone'));
    };
    if (response.destroyed) return closed();
    response.once(name, done);
    response.once('close', closed);
  });
}

function cutOff(cause: unknown): never {
  throw new ClientGone('the client went away before all had come', { cause });
}

/** Cuts the connection when the promise takes too long. */
async function within<T>(limit: number, promise: Promise<T>, request: IncomingMessage): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(gone(request, 'the client takes too long')), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function gone(request: IncomingMessage, why: string): ClientGone {
  request.socket.destroy();
  return new ClientGone(why);
}
