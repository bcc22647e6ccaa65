import { createServer as createPlain } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createServer as createTls } from 'node:https';
import { isOciTarError, OciTarError } from '../errors.ts';
import { mapErrno, errnoOf } from '../runtime/node/errno.ts';
import { defaultPatience, exchange } from './exchange.ts';
import type { ClientPatience } from './exchange.ts';
import { RegistryHandler } from './handler.ts';
import { defaultListen, hostText, isLoopbackHost, parseListen } from './listen.ts';
import type { Access } from './metrics.ts';
import type { ServeOptions } from './options.ts';

export interface ListenOptions extends ServeOptions {
  /** `127.0.0.1:5000` by default; port 0 is any that is free. */
  readonly listen?: string;
  /** Certificate chain and private key in PEM. Without them the server speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly patience?: Partial<ClientPatience>;
  /** Connections at a time; 1,024 by default. */
  readonly connections?: number;
  /** Told of each request when it is over. */
  readonly onAccess?: (access: Access) => void;
}

export interface RunningServer {
  /** Where it can be reached: `http://127.0.0.1:5000`. */
  readonly url: string;
  /** `127.0.0.1:5000`, as the first part of an image's name. */
  readonly host: string;
  /** False where other machines can get there. */
  readonly isLoopback: boolean;
  /** How many repositories are served at this moment. */
  repositories(): Promise<number>;
  /**
   * Takes no more requests, and resolves when those under way are answered; after `grace` ms (8,000 by default) their connections are cut.
   * The places stay open.
   */
  stop(options?: { readonly grace?: number }): Promise<void>;
}

/** A request's line and headers, in bytes. */
const longestHeaders = 16 * 1024;

/** How often what clients have left is given up, in ms. */
const sweepEvery = 60_000;

/**
 * Serves places where images live as a registry (OCI distribution-spec 1.1). Resolves when it listens. INVALID_ARGUMENT for an address that is
 * none or a certificate that is not sound, CONFLICT for one that is taken, FORBIDDEN.
 */
export async function startServer(options: ListenOptions): Promise<RunningServer> {
  const { host, port } = parseListen(options.listen ?? defaultListen);
  const handler = new RegistryHandler(options);
  const patience = { ...defaultPatience, ...options.patience };
  const settings: ServerOptions = {
    maxHeaderSize: longestHeaders,
    headersTimeout: patience.headers,
    keepAliveTimeout: patience.idle,
    // A body may take as long as it likes, as long as it comes: see `exchange`.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(patience.headers, 5000),
  };
  const server = create(settings, options.tls, patience.headers);
  server.maxConnections = options.connections ?? 1024;
  const take = (expectsContinue: boolean) => (request: IncomingMessage, response: ServerResponse) =>
    void exchange(handler, request, response, { patience, ...(options.onAccess === undefined ? {} : { onAccess: options.onAccess }) }, expectsContinue).catch(() => response.destroy());
  server.on('request', take(false));
  server.on('checkContinue', take(true));
  server.on('clientError', refuseBroken);
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    handler.connections += 1;
    socket.once('close', () => (handler.connections -= 1));
  });
  await listening(server, host, port);
  const sweeping = setInterval(() => void handler.sweep().catch(() => {}), sweepEvery);
  sweeping.unref();
  const reached = `${hostText(host === '::' ? 'localhost' : host)}:${portOf(server, port)}`;
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${reached}`,
    host: reached,
    isLoopback: isLoopbackHost(host),
    repositories: () => handler.count(),
    stop: async ({ grace = 8000 } = {}) => {
      clearInterval(sweeping);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // A client keeps its connection after its last answer, which has not told it that the server is about to go.
      const idle = setInterval(() => server.closeIdleConnections(), 50);
      const cut = setTimeout(() => server.closeAllConnections(), grace);
      await closed;
      clearInterval(idle);
      clearTimeout(cut);
      await handler.close();
    },
  };
}

function create(settings: ServerOptions, tls: ListenOptions['tls'], handshake: number): Server {
  if (tls === undefined) return createPlain(settings);
  try {
    return createTls({ ...settings, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: handshake });
  } catch (cause) {
    throw new OciTarError('INVALID_ARGUMENT', 'the certificate or its key is not sound PEM, or they do not belong together', { cause });
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${hostText(host)}:${port}`;
      if (errnoOf(error) === 'EADDRINUSE') return reject(new OciTarError('CONFLICT', `${where} is taken by another program`, { subject: where, cause: error, hint: 'Choose another port with --listen, or 0 for any that is free.' }));
      if (errnoOf(error) === 'EADDRNOTAVAIL' || errnoOf(error) === 'ENOTFOUND') return reject(new OciTarError('INVALID_ARGUMENT', `${where} is not an address of this machine`, { subject: where, cause: error }));
      const mapped = mapErrno(error, where);
      reject(isOciTarError(mapped) ? mapped : error);
    });
    // Without a host Node takes every address, also where there is no IPv6.
    server.listen(host === '::' ? { port } : { host, port }, () => {
      server.removeAllListeners('error');
      // Such as no more file handles: the connection is lost, the server is not.
      server.on('error', () => {});
      resolve();
    });
  });
}

function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : asked;
}

/** What Node's parser does not take never becomes a request. */
function refuseBroken(error: Error, socket: Socket): void {
  if (!socket.writable || errnoOf(error) === 'ECONNRESET') return void socket.destroy();
  const tooLong = errnoOf(error) === 'HPE_HEADER_OVERFLOW';
  const late = errnoOf(error) === 'ERR_HTTP_REQUEST_TIMEOUT';
  socket.end(`HTTP/1.1 ${tooLong ? '431 Request Header Fields Too Large' : late ? '408 Request Timeout' : '400 Bad Request'}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}
