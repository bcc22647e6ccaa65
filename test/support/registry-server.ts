import { createHash, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Manifest {
  readonly type: string;
  readonly bytes: Buffer;
}

export interface RegistryServerOptions {
  /**
   * Sees each request first and may answer it, by saying true; what it waits for, the request waits for. `body` gives the request's bytes.
   */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse, body: () => Promise<Buffer>) => boolean | Promise<boolean>;
  /** Without it there is no referrers API. */
  readonly referrers?: boolean;
}

/** A registry in memory (distribution-spec 1.1), small and right, so that a test can make it misbehave in one way. */
export class RegistryServer {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, Manifest>();
  /** By `repository:tag`. */
  readonly tags = new Map<string, string>();
  /** Each request as `METHOD /path`. */
  readonly seen: string[] = [];
  readonly #uploads = new Map<string, Buffer>();
  readonly #options: RegistryServerOptions;
  readonly #server: Server;

  private constructor(options: RegistryServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#take(request, response).catch(() => response.destroy());
    });
  }

  static async start(options: RegistryServerOptions = {}): Promise<RegistryServer> {
    const server = new RegistryServer(options);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    const address = this.#server.address() as AddressInfo;
    return `127.0.0.1:${address.port}`;
  }

  /** The requests of a kind, such as `/^PUT .*manifests/`. */
  count(pattern: RegExp): number {
    return this.seen.filter((line) => pattern.test(line)).length;
  }

  addBlob(bytes: Buffer): string {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return digest;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.seen.push(`${request.method} ${request.url}`);
    let read: Promise<Buffer> | undefined;
    const body = () => (read ??= bytesOf(request));
    if ((await this.#options.intercept?.(request, response, body)) === true) return;
    const url = new URL(request.url ?? '/', `http://${this.host}`);
    const [, repository = '', kind = '', rest = ''] = /^\/v2\/(.+)\/(blobs|manifests|tags|referrers)\/(.+)$/.exec(url.pathname) ?? [];
    if (url.pathname === '/v2/') return send(response, 200, {}, '{}');
    if (kind === 'blobs' && rest.startsWith('uploads')) return this.#upload(request, response, url, repository, await body());
    if (kind === 'blobs') return this.#blob(request, response, rest);
    if (kind === 'manifests') return this.#manifest(request, response, repository, rest, await body());
    if (kind === 'tags') {
      const tags = [...this.tags.keys()].filter((name) => name.startsWith(`${repository}:`)).map((name) => name.slice(repository.length + 1));
      return tags.length === 0 ? fail(response, 404, 'NAME_UNKNOWN') : send(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ name: repository, tags: tags.sort() }));
    }
    if (kind === 'referrers' && this.#options.referrers !== false) return this.#referrers(response, rest);
    fail(response, 404, 'UNSUPPORTED');
  }

  #blob(request: IncomingMessage, response: ServerResponse, digest: string): void {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) return fail(response, 404, 'BLOB_UNKNOWN');
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const common = { 'content-type': 'application/octet-stream', 'docker-content-digest': digest };
    if (start === undefined || end === undefined) return send(response, 200, { ...common, 'content-length': String(bytes.length) }, request.method === 'HEAD' ? undefined : bytes);
    const part = bytes.subarray(Number(start), Number(end) + 1);
    send(response, 206, { ...common, 'content-range': `bytes ${start}-${end}/${bytes.length}`, 'content-length': String(part.length) }, part);
  }

  #manifest(request: IncomingMessage, response: ServerResponse, repository: string, reference: string, body: Buffer): void {
    if (request.method === 'PUT') {
      const digest = digestOf(body);
      if (reference.includes(':') && reference !== digest) return fail(response, 400, 'DIGEST_INVALID');
      this.manifests.set(digest, { type: request.headers['content-type'] ?? '', bytes: body });
      if (!reference.includes(':')) this.tags.set(`${repository}:${reference}`, digest);
      const subject = subjectIn(body);
      const told = subject !== undefined && this.#options.referrers !== false ? { 'oci-subject': subject } : {};
      return send(response, 201, { location: `/v2/${repository}/manifests/${digest}`, 'docker-content-digest': digest, ...told });
    }
    const digest = reference.includes(':') ? reference : (this.tags.get(`${repository}:${reference}`) ?? '');
    const manifest = this.manifests.get(digest);
    if (manifest === undefined) return fail(response, 404, 'MANIFEST_UNKNOWN');
    if (request.method === 'DELETE') {
      if (reference.includes(':')) this.manifests.delete(digest);
      else this.tags.delete(`${repository}:${reference}`);
      return send(response, 202, {});
    }
    const headers = { 'content-type': manifest.type, 'docker-content-digest': digest, 'content-length': String(manifest.bytes.length) };
    send(response, 200, headers, request.method === 'HEAD' ? undefined : manifest.bytes);
  }

  #upload(request: IncomingMessage, response: ServerResponse, url: URL, repository: string, body: Buffer): void {
    const id = url.pathname.split('/').at(-1) ?? '';
    const at = (upload: string) => ({ location: `/v2/${repository}/blobs/uploads/${upload}` });
    if (request.method === 'POST') {
      const mount = url.searchParams.get('mount') ?? '';
      if (this.blobs.has(mount) && url.searchParams.has('from')) return send(response, 201, { location: `/v2/${repository}/blobs/${mount}` });
      const upload = randomUUID();
      this.#uploads.set(upload, Buffer.alloc(0));
      return send(response, 202, at(upload));
    }
    const before = this.#uploads.get(id);
    if (before === undefined) return fail(response, 404, 'BLOB_UPLOAD_UNKNOWN');
    const range = (bytes: Buffer) => ({ ...at(id), range: `0-${Math.max(0, bytes.length - 1)}` });
    if (request.method === 'GET') return send(response, 204, range(before));
    if (request.method === 'DELETE') {
      this.#uploads.delete(id);
      return send(response, 204, {});
    }
    const start = /^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1];
    if (start !== undefined && Number(start) !== before.length) return send(response, 416, range(before));
    const bytes = Buffer.concat([before, body]);
    this.#uploads.set(id, bytes);
    if (request.method === 'PATCH') return send(response, 202, range(bytes));
    if (digestOf(bytes) !== url.searchParams.get('digest')) return fail(response, 400, 'DIGEST_INVALID');
    this.#uploads.delete(id);
    this.addBlob(bytes);
    send(response, 201, { location: `/v2/${repository}/blobs/${digestOf(bytes)}` });
  }

  /** A part of an upload, as if the connection had been cut there. */
  keepPart(id: string, bytes: Buffer): void {
    this.#uploads.set(id, Buffer.concat([this.#uploads.get(id) ?? Buffer.alloc(0), bytes]));
  }

  /** What has come of an upload. */
  part(id: string): Buffer {
    return this.#uploads.get(id) ?? Buffer.alloc(0);
  }

  /** How many uploads are open. */
  get openUploads(): number {
    return this.#uploads.size;
  }

  #referrers(response: ServerResponse, subject: string): void {
    const manifests = [...this.manifests].flatMap(([digest, { type, bytes }]) => {
      if (subjectIn(bytes) !== subject) return [];
      const { artifactType, config, annotations } = JSON.parse(bytes.toString()) as { artifactType?: string; config?: { mediaType: string }; annotations?: object };
      return [{ mediaType: type, digest, size: bytes.length, artifactType: artifactType ?? config?.mediaType, ...(annotations === undefined ? {} : { annotations }) }];
    });
    const type = 'application/vnd.oci.image.index.v1+json';
    send(response, 200, { 'content-type': type }, JSON.stringify({ schemaVersion: 2, mediaType: type, manifests }));
  }
}

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** An answer with headers and a body. */
export function send(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body?: Buffer | string): void {
  response.writeHead(status, headers).end(body);
}

/** An answer as the distribution-spec has its errors. */
export function fail(response: ServerResponse, status: number, code: string, headers: Readonly<Record<string, string>> = {}): void {
  send(response, status, { 'content-type': 'application/json', ...headers }, JSON.stringify({ errors: [{ code, message: `that is ${code.toLowerCase()}` }] }));
}

function subjectIn(bytes: Buffer): string | undefined {
  try {
    return (JSON.parse(bytes.toString()) as { subject?: { digest?: string } }).subject?.digest;
  } catch {
    return undefined;
  }
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
