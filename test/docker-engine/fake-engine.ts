import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { copyImage } from '@oci-tar/core';
import type { DockerEngineOptions } from '@oci-tar/core';
import { archiveTarget } from '../../packages/core/src/stores/archive.ts';
import { addImages, memoryStore } from '../support/images.ts';
import type { ImageSpec } from '../support/images.ts';
import { MemorySink } from '../support/sinks.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void | Promise<void>;

export interface FakeEngineOptions {
  /** What `/_ping` says; null: nothing. */
  readonly apiVersion?: string | null;
  /** Whether it keeps images in containerd's store. */
  readonly keepsManifests?: boolean;
  /** `GET /images/get` and its like, without the version; what is not here is 404 with a message. */
  readonly on?: Readonly<Record<string, Handler>>;
}

/** A docker engine of the project's own, on a unix socket, that does what a test says. */
export class FakeEngine {
  readonly socket: string;
  /** `GET /v1.41/images/json`, in the order in which they came. */
  readonly seen: string[] = [];

  private constructor(socket: string) {
    this.socket = socket;
  }

  /** Runs until the test is over. */
  static async start(options: FakeEngineOptions = {}): Promise<FakeEngine> {
    const folder = await mkdtemp(join(tmpdir(), 'oci-tar-engine-'));
    const engine = new FakeEngine(join(folder, 'docker.sock'));
    const server: Server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://engine');
      engine.seen.push(`${request.method} ${url.pathname}`);
      void engine.#answer(options, request, response, url);
    });
    await new Promise<void>((resolve) => server.listen(engine.socket, resolve));
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    });
    return engine;
  }

  /** For clients: this engine, and nothing of this machine's configuration. */
  get options(): DockerEngineOptions {
    return { host: `unix://${this.socket}`, timeout: 2_000, workTimeout: 2_000, env: {} };
  }

  async #answer({ apiVersion = '1.41', keepsManifests = false, on = {} }: FakeEngineOptions, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const path = url.pathname.replace(/^\/v\d+\.\d+/, '');
    const handler = on[`${request.method} ${path}`];
    if (handler !== undefined) await handler(request, response, url);
    else if (path === '/_ping') response.writeHead(200, apiVersion === null ? {} : { 'api-version': apiVersion }).end('OK');
    else if (path === '/info') sendJson(response, 200, { DriverStatus: keepsManifests ? [['driver-type', 'io.containerd.snapshotter.v1']] : [['Backing Filesystem', 'extfs']] });
    else sendJson(response, 404, { message: `No such thing: ${path}` });
  }
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Reads a body to its end and answers with a status. */
export function taking(status: number, answer: string, onBody: (bytes: Uint8Array) => void = () => {}): Handler {
  return async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    onBody(Buffer.concat(chunks));
    response.writeHead(status, { 'content-type': 'application/json' }).end(answer);
  };
}

/** An image of a store in memory, and the docker archive that an engine would save of it. */
export async function savedArchive(spec: ImageSpec = {}, format: 'oci' | 'docker' = 'docker'): Promise<{ readonly bytes: Uint8Array; readonly id: string }> {
  const source = memoryStore();
  const name = spec.name ?? 'docker.io/library/hello:1';
  await addImages(source, { ...spec, name });
  const sink = new MemorySink();
  await copyImage({ source, target: archiveTarget(sink, { format }), reference: name });
  return { bytes: sink.bytes, id: `sha256:${'1'.repeat(64)}` };
}
