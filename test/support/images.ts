import { bytesSource, digestBytes, layoutStore, mediaTypes, memoryDriver, stringifyJson } from '@oci-tar/core';
import type { Content, ContentRole, Descriptor, ImageDriver, ImageStore, NamedImage, Platform } from '@oci-tar/core';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';

/** What a test says of an image; everything else has a default. */
export interface ImageSpec {
  readonly name?: string;
  /** One layer each: names and texts of its files. */
  readonly layers?: readonly Readonly<Record<string, string>>[];
  readonly platform?: Platform;
}

export const linux: Platform = { architecture: 'amd64', os: 'linux' };

/** A store in memory. */
export function memoryStore(driver: ImageDriver = memoryDriver()): ImageStore {
  return layoutStore(driver, { mayBeNew: true });
}

/** Writes images into a store as a caller of the library would, with plain layers. */
export async function addImages(store: ImageStore, ...specs: readonly ImageSpec[]): Promise<readonly NamedImage[]> {
  const session = await begin(store);
  const images: NamedImage[] = [];
  for (const spec of specs) {
    const root = await pushManifest(session, spec);
    await session.name(spec.name, root);
    images.push(spec.name === undefined ? { descriptor: root.descriptor } : { name: spec.name, descriptor: root.descriptor });
  }
  await session.end();
  return images;
}

/** Writes a multi-platform image: an index over one manifest for each platform. */
export async function addIndex(store: ImageStore, name: string, platforms: readonly Platform[]): Promise<NamedImage> {
  const session = await begin(store);
  const manifests: Descriptor[] = [];
  for (const platform of platforms) {
    const content = await pushManifest(session, { platform, layers: [{ platform: `${platform.os}/${platform.architecture}` }] });
    manifests.push({ ...content.descriptor, platform });
  }
  const root = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests });
  await session.name(name, root);
  await session.end();
  return { name, descriptor: root.descriptor };
}

/** The bytes of a layer with these files. */
export async function layerOf(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const entries = Object.entries(files).map(([path, text]) => {
    const data = new TextEncoder().encode(text);
    return { path, type: 'file' as const, size: data.byteLength, data };
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of pieceBytes(pack(entries))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

type Session = Awaited<ReturnType<NonNullable<ImageStore['begin']>>>;

async function begin(store: ImageStore): Promise<Session> {
  if (store.begin === undefined) throw new Error(`${store.name} is read-only`);
  return store.begin();
}

async function pushManifest(session: Session, { layers = [{ hello: 'world\n' }], platform = linux }: ImageSpec): Promise<Content> {
  const descriptors: Descriptor[] = [];
  for (const files of layers) descriptors.push((await pushBytes(session, mediaTypes.layer, 'layer', await layerOf(files))).descriptor);
  const config = await pushJson(session, mediaTypes.config, 'config', {
    ...platform,
    config: {},
    rootfs: { type: 'layers', diff_ids: descriptors.map((layer) => layer.digest) },
  });
  return pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers: descriptors });
}

export function pushJson(session: Session, mediaType: string, role: ContentRole, value: object): Promise<Content> {
  return pushBytes(session, mediaType, role, stringifyJson(value));
}

export async function pushBytes(session: Session, mediaType: string, role: ContentRole, bytes: Uint8Array): Promise<Content> {
  const content: Content = {
    descriptor: { mediaType, digest: await digestBytes(bytes), size: bytes.byteLength },
    role,
    height: 0,
    origins: [],
    read: () => bytesSource(bytes).read(),
  };
  await session.push(content);
  return content;
}

/** Everything that a place lists. */
export async function listed(store: ImageStore): Promise<readonly NamedImage[]> {
  const images: NamedImage[] = [];
  for await (const image of store.images()) images.push(image);
  return images;
}
