import { collect, digestBytes, mediaTypes, parseJson, readBlob, verifyImages } from '@oci-tar/core';
import type { Content, Descriptor, ImageStore, JsonObject, JsonValue, Platform } from '@oci-tar/core';
import { expect } from 'vitest';
import { layerOf, listed, pushBytes, pushJson } from '../support/images.ts';

export const amd64: Platform = { os: 'linux', architecture: 'amd64' };
export const arm64: Platform = { os: 'linux', architecture: 'arm64' };
export const armv7: Platform = { os: 'linux', architecture: 'arm', variant: 'v7' };

export type Session = Awaited<ReturnType<NonNullable<ImageStore['begin']>>>;

export async function begin(store: ImageStore): Promise<Session> {
  if (store.begin === undefined) throw new Error(`${store.name} is read-only`);
  return store.begin();
}

/** A manifest with these own fields, over a config with these, and one layer. */
export async function pushImage(session: Session, manifest: object, config: object, docker = false): Promise<Content> {
  const layer = await pushBytes(session, docker ? mediaTypes.dockerLayer : mediaTypes.layer, 'layer', await layerOf({ file: 'text' }));
  const document = { os: 'linux', architecture: 'amd64', ...config, rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] } };
  const pushed = await pushJson(session, docker ? mediaTypes.dockerConfig : mediaTypes.config, 'config', document);
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.manifest;
  return pushJson(session, mediaType, 'manifest', { schemaVersion: 2, mediaType, config: pushed.descriptor, layers: [layer.descriptor], ...manifest });
}

/** An index over two platforms, each with an attestation behind it, as buildkit writes them. */
export async function pushAttested(session: Session, ...platforms: readonly Platform[]): Promise<Content> {
  const manifests: Descriptor[] = [];
  for (const platform of platforms) {
    const image = await pushImage(session, {}, { ...platform, config: {} });
    const statement = await pushBytes(session, 'application/vnd.in-toto+json', 'layer', new TextEncoder().encode(JSON.stringify(platform)));
    const config = await pushJson(session, mediaTypes.config, 'config', { os: 'unknown', architecture: 'unknown', config: {}, rootfs: { type: 'layers', diff_ids: [statement.descriptor.digest] } });
    const attestation = await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: [statement.descriptor] });
    const annotations = { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': image.descriptor.digest };
    manifests.push({ ...image.descriptor, platform }, { ...attestation.descriptor, platform: { os: 'unknown', architecture: 'unknown' }, annotations });
  }
  return pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests, 'org.example': { kept: [1, null] } });
}

/** A document of the store as plain JSON. */
export async function json(store: ImageStore, descriptor: Descriptor): Promise<JsonObject> {
  return object(parseJson(await readBlob(store, descriptor)));
}

export function object(value: JsonValue | undefined): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${JSON.stringify(value)} is no object`);
  // Arrays are out.
  return value as JsonObject;
}

/** Sees that everything there is verifies; returns how many images there are. */
export async function sound(store: ImageStore): Promise<number> {
  const images = await listed(store);
  expect((await verifyImages(store, images)).problems).toEqual([]);
  return images.length;
}

export async function digestOf(store: ImageStore, descriptor: Descriptor): Promise<string> {
  return digestBytes(await collect((await store.open(descriptor)).read(), 1 << 20, descriptor.digest));
}
