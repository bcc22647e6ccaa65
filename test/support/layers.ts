import { codecByName, collect, digestBytes, mediaTypes, withLayerCompression } from '@oci-tar/core';
import type { Codec, Content, Descriptor, ImageStore, NamedImage, Platform } from '@oci-tar/core';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { linux, pushBytes, pushJson } from './images.ts';
import { session } from './multi.ts';

/** An image of which a test says every entry. */
export interface LayeredSpec {
  readonly name: string;
  /** The base first. */
  readonly layers: readonly (readonly PackEntry[] | Uint8Array)[];
  readonly platform?: Platform;
  readonly compress?: 'gzip' | 'zstd' | 'none';
  readonly docker?: boolean;
  readonly config?: object;
}

export const file = (path: string, data = path, more: Partial<PackEntry> = {}): PackEntry => ({ path, type: 'file', size: Buffer.byteLength(data), data: Buffer.from(data), ...more });
export const symlink = (path: string, linkname: string): PackEntry => ({ path, type: 'symlink', linkname });
export const hardlink = (path: string, linkname: string): PackEntry => ({ path, type: 'hardlink', linkname });
export const directory = (path: string, more: Partial<PackEntry> = {}): PackEntry => ({ path: `${path}/`, type: 'directory', ...more });
export const whiteout = (path: string): PackEntry => file(path.replace(/([^/]+)$/, '.wh.$1'), '');
export const opaque = (path: string): PackEntry => file(`${path}/.wh..wh..opq`, '');

export async function tarOf(entries: readonly PackEntry[]): Promise<Uint8Array> {
  return collect(pieceBytes(pack(entries)), 2 ** 30, 'a layer');
}

export async function compressedBy(codec: Codec, bytes: Uint8Array): Promise<Uint8Array> {
  const one = async function* () {
    yield bytes;
  };
  return collect(codec.compress(one()), 2 ** 30, 'a layer');
}

/** Writes an image with these layers under its name. */
export async function addLayered(store: ImageStore, { name, ...spec }: LayeredSpec): Promise<NamedImage & { readonly layers: readonly Descriptor[] }> {
  const opened = await session(store);
  const { manifest, layers } = await pushLayered(opened, spec);
  await opened.name(name, manifest);
  await opened.end();
  return { name, descriptor: manifest.descriptor, layers };
}

export async function pushLayered(opened: Awaited<ReturnType<typeof session>>, { layers, platform = linux, compress = 'gzip', docker = false, config = {} }: Omit<LayeredSpec, 'name'>): Promise<{ readonly manifest: Content; readonly layers: readonly Descriptor[] }> {
  const codec = codecByName(compress);
  const mediaType = withLayerCompression(docker ? mediaTypes.dockerLayer : mediaTypes.layer, compress) ?? '';
  const pushed: Descriptor[] = [];
  const diffIDs: string[] = [];
  for (const layer of layers) {
    const tar = layer instanceof Uint8Array ? layer : await tarOf(layer);
    diffIDs.push(await digestBytes(tar));
    pushed.push((await pushBytes(opened, mediaType, 'layer', await compressedBy(codec, tar))).descriptor);
  }
  const document = { ...platform, config: {}, rootfs: { type: 'layers', diff_ids: diffIDs }, ...config };
  const { descriptor } = await pushJson(opened, docker ? mediaTypes.dockerConfig : mediaTypes.config, 'config', document);
  const type = docker ? mediaTypes.dockerManifest : mediaTypes.manifest;
  return { manifest: await pushJson(opened, type, 'manifest', { schemaVersion: 2, mediaType: type, config: descriptor, layers: pushed }), layers: pushed };
}
