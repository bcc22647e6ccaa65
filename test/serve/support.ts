import { createHash } from 'node:crypto';
import { bytesSource, collect, memoryDriver, registryHandler } from '@oci-tar/core';
import type { ImageStore, RegistryHandler, ServeOptions, ServeResponse } from '@oci-tar/core';
import { addImages, memoryStore } from '../support/images.ts';
import { cut } from '../support/sinks.ts';

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const indexType = 'application/vnd.oci.image.index.v1+json';

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  readonly text: string;
  /** The codes of the distribution-spec's errors. */
  readonly codes: readonly string[];
  json(): unknown;
}

export interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** A client of a registry without a network between. */
export class Client {
  readonly handler: RegistryHandler;

  constructor(handler: RegistryHandler) {
    this.handler = handler;
  }

  async ask(method: string, target: string, { headers = {}, body }: Sent = {}): Promise<Answer> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const length = bytes === undefined ? {} : { 'content-length': String(bytes.byteLength) };
    return answerOf(await this.handler.handle({ method, target, headers: { ...length, ...headers }, ...(bytes === undefined ? {} : { body: cut(bytes, [1000, 70_000]) }) }));
  }

  get(target: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.ask('GET', target, { headers });
  }

  /** A blob in one request. */
  async pushBlob(name: string, bytes: Uint8Array | string): Promise<string> {
    const digest = sha256(bytes);
    const { status } = await this.ask('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: bytes });
    if (status !== 201) throw new Error(`the blob was not taken: ${status}`);
    return digest;
  }

  /** A manifest of a config and layers that are pushed before. */
  async pushImage(name: string, reference: string | undefined, { layers = ['a layer'], fields = {} }: { readonly layers?: readonly string[]; readonly fields?: object } = {}): Promise<{ readonly digest: string; readonly bytes: string; readonly answer: Answer }> {
    const config = '{}';
    await this.pushBlob(name, config);
    for (const layer of layers) await this.pushBlob(name, layer);
    const bytes = manifestOf(config, layers, fields);
    const digest = sha256(bytes);
    const answer = await this.putManifest(name, reference ?? digest, bytes);
    return { digest, bytes, answer };
  }

  putManifest(name: string, reference: string, bytes: string | Uint8Array, type = manifestType): Promise<Answer> {
    return this.ask('PUT', `/v2/${name}/manifests/${reference}`, { body: bytes, headers: { 'content-type': type } });
  }
}

export function manifestOf(config: string, layers: readonly string[], fields: object = {}): string {
  const layer = (text: string) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(text), size: Buffer.byteLength(text) });
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: Buffer.byteLength(config) },
    layers: layers.map(layer),
    ...fields,
  });
}

export function descriptorOf(bytes: string, mediaType = manifestType): { readonly mediaType: string; readonly digest: string; readonly size: number } {
  return { mediaType, digest: sha256(bytes), size: Buffer.byteLength(bytes) };
}

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Reads an answer; throws what its body throws. */
export async function answerOf({ status, headers, body }: ServeResponse): Promise<Answer> {
  const bytes = body === undefined ? new Uint8Array() : await collect(body instanceof Uint8Array ? bytesSource(body).read() : body, 2 ** 28, 'answer');
  const text = Buffer.from(bytes).toString();
  return { status, headers, bytes, text, codes: codesIn(text), json: () => JSON.parse(text) as unknown };
}

function codesIn(text: string): readonly string[] {
  return [...text.matchAll(/\{"code":"(\w+)"/g)].map((match) => match[1] ?? '');
}

/** A registry over images with these names in a store in memory. */
export async function reading(names: readonly string[], options: Partial<ServeOptions> = {}): Promise<Client & { readonly store: ImageStore }> {
  const store = memoryStore();
  await addImages(store, ...names.map((name) => ({ name, layers: [{ name }] })));
  return Object.assign(await clientOf({ places: [{ store }], ...options }), { store });
}

/** A registry over an empty store in memory that can be pushed to. */
export async function writing(options: Partial<ServeOptions> = {}): Promise<Client & { readonly store: ImageStore }> {
  const store = memoryStore(memoryDriver());
  return Object.assign(await clientOf({ places: [], writable: store, ...options }), { store });
}

export async function clientOf(options: ServeOptions): Promise<Client> {
  return new Client(await registryHandler(options));
}

/** The descriptors of an image that is served. */
export async function partsOf(client: Client, name: string, reference = '1'): Promise<{ readonly manifest: Answer; readonly digest: string; readonly config: { digest: string; size: number }; readonly layers: readonly { digest: string; size: number }[] }> {
  const manifest = await client.get(`/v2/${name}/manifests/${reference}`);
  const { config, layers } = manifest.json() as { config: { digest: string; size: number }; layers: { digest: string; size: number }[] };
  return { manifest, digest: manifest.headers['docker-content-digest'] ?? '', config, layers };
}

export function locationOf(answer: Answer): string {
  const { location } = answer.headers;
  if (location === undefined) throw new Error(`an answer without Location: ${answer.status} ${answer.text}`);
  return location;
}

/** The same place as an archive would be: it can be read and does not change. */
export function onlyRead(store: ImageStore): ImageStore {
  return { name: store.name, images: () => store.images(), resolve: (reference) => store.resolve(reference), open: (blob) => store.open(blob), close: () => store.close() };
}
