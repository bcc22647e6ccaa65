import { gzipSync } from 'node:zlib';
import { codecByName, digestBytes, stringifyJson } from '@oci-tar/core';
import { layerOf } from '../support/images.ts';
import { cut } from '../support/sinks.ts';
import { endMarker, join, rawEntry } from '../tar/raw.ts';
import type { RawHeader } from '../tar/raw.ts';

/** An entry of a docker archive that is made by hand. */
export interface Entry {
  readonly name: string;
  readonly body?: Uint8Array;
  readonly header?: RawHeader;
}

/** An image before it is written in the form of one tool or another. */
export interface SampleImage {
  readonly tags: readonly string[];
  readonly config: Uint8Array;
  /** Hex digits of the config's digest. */
  readonly id: string;
  readonly layers: readonly SampleLayer[];
}

export interface SampleLayer {
  readonly plain: Uint8Array;
  /** Hex digits of the digest of `plain`. */
  readonly diffID: string;
}

export interface ImageSpec {
  readonly tags?: readonly string[];
  readonly layers?: readonly Readonly<Record<string, string>>[];
  /** Instead of the layers' own. */
  readonly diffIDs?: readonly string[];
  /** More fields of the config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export const hexOf = async (bytes: Uint8Array): Promise<string> => (await digestBytes(bytes)).slice('sha256:'.length);

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const json = (value: unknown): Uint8Array => stringifyJson(value);

export async function sampleImage({ tags = ['example.org/app:1'], layers = [{ hello: 'lower\n' }, { world: 'upper\n' }], diffIDs, config = {} }: ImageSpec = {}): Promise<SampleImage> {
  const made: SampleLayer[] = [];
  for (const files of layers) {
    const plain = Uint8Array.from(await layerOf(files));
    made.push({ plain, diffID: await hexOf(plain) });
  }
  const bytes = json({
    architecture: 'amd64',
    config: { Cmd: ['/hello'], Env: ['PATH=/bin'] },
    created: '2015-04-01T10:20:30Z',
    docker_version: '20.10.24',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: diffIDs ?? made.map(({ diffID }) => `sha256:${diffID}`) },
    ...config,
  });
  return { tags, config: bytes, id: await hexOf(bytes), layers: made };
}

export function tarOf(entries: readonly Entry[]): Uint8Array {
  return join(...entries.map(({ name, body = new Uint8Array(), header }) => rawEntry({ name, ...header }, body)), endMarker);
}

export const folder = (name: string): Entry => ({ name: `${name}/`, header: { typeflag: '5', mode: 0o755 } });

export const symlink = (name: string, linkname: string): Entry => ({ name, header: { typeflag: '2', linkname } });

export const hardlink = (name: string, linkname: string): Entry => ({ name, header: { typeflag: '1', linkname } });

/** Each entry once, the first of its name. */
function once(entries: readonly Entry[]): readonly Entry[] {
  return [...new Map(entries.toReversed().map((entry) => [entry.name, entry])).values()].toReversed();
}

const repositories = (images: readonly { readonly tags: readonly string[]; readonly top: string }[]): Entry => {
  const all: Record<string, Record<string, string>> = {};
  for (const { tags, top } of images) {
    for (const tag of tags) {
      const colon = tag.lastIndexOf(':');
      (all[tag.slice(0, colon)] ??= {})[tag.slice(colon + 1)] = top;
    }
  }
  return { name: 'repositories', body: json(all) };
};

/** Ids of docker's old kind: some 64 hex digits for each layer of each chain. */
async function chainIds(image: SampleImage): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const { diffID } of image.layers) ids.push(await hexOf(text(`${ids.at(-1) ?? ''} ${diffID} v1`)));
  return ids;
}

function v1json(image: SampleImage, ids: readonly string[], position: number): Uint8Array {
  const parent = position === 0 ? {} : { parent: ids[position - 1] };
  const config = JSON.parse(new TextDecoder().decode(image.config)) as { config: object; os: string; architecture: string };
  const isTop = position === ids.length - 1;
  return json({
    id: ids[position],
    ...parent,
    created: `2015-04-01T10:20:3${position}Z`,
    container_config: { Cmd: ['/bin/sh', '-c', `step ${position}`] },
    docker_version: '1.6.0',
    ...(isTop && { config: config.config, architecture: config.architecture, os: config.os }),
    Size: image.layers[position]?.plain.length,
  });
}

/** docker before 1.10: no manifest.json. */
export async function docker1(...images: readonly SampleImage[]): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  const tops: { tags: readonly string[]; top: string }[] = [];
  for (const image of images) {
    const ids = await chainIds(image);
    tops.push({ tags: image.tags, top: ids.at(-1) ?? '' });
    for (const [position, { plain }] of image.layers.entries()) {
      const id = ids[position] ?? '';
      entries.push(folder(id), { name: `${id}/VERSION`, body: text('1.0') }, { name: `${id}/json`, body: v1json(image, ids, position) }, { name: `${id}/layer.tar`, body: plain });
    }
  }
  return once([...entries, ...(tops.some(({ tags }) => tags.length > 0) ? [repositories(tops)] : [])]);
}

/** docker 1.10 to 24: a layer that is there already is a symbolic link. */
export async function docker24(...images: readonly SampleImage[]): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  const items: object[] = [];
  const tops: { tags: readonly string[]; top: string }[] = [];
  const at = new Map<string, string>();
  for (const image of images) {
    const ids = await chainIds(image);
    tops.push({ tags: image.tags, top: ids.at(-1) ?? '' });
    for (const [position, { plain, diffID }] of image.layers.entries()) {
      const id = ids[position] ?? '';
      const path = `${id}/layer.tar`;
      const earlier = at.get(diffID);
      if (earlier === undefined) at.set(diffID, path);
      const layer = earlier === undefined || earlier === path ? { name: path, body: plain } : symlink(path, `../${earlier}`);
      entries.push(folder(id), { name: `${id}/VERSION`, body: text('1.0') }, { name: `${id}/json`, body: v1json(image, ids, position) }, layer);
    }
    entries.push({ name: `${image.id}.json`, body: image.config });
    items.push({ Config: `${image.id}.json`, RepoTags: image.tags.length === 0 ? null : image.tags, Layers: ids.map((id) => `${id}/layer.tar`) });
  }
  return once([...entries, { name: 'manifest.json', body: json(items) }, repositories(tops)]);
}

/** docker 25 and later: an OCI layout with plain layers beside manifest.json. */
export async function docker25(...images: readonly SampleImage[]): Promise<readonly Entry[]> {
  const blobs: Entry[] = [];
  const items: object[] = [];
  const descriptors: object[] = [];
  for (const image of images) {
    const layers = image.layers.map(({ plain, diffID }) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: `sha256:${diffID}`, size: plain.length }));
    const manifest = json({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${image.id}`, size: image.config.length },
      layers,
      annotations: { 'org.example.from': 'docker 25' },
    });
    const id = await hexOf(manifest);
    for (const { plain, diffID } of image.layers) blobs.push({ name: `blobs/sha256/${diffID}`, body: plain });
    blobs.push({ name: `blobs/sha256/${image.id}`, body: image.config }, { name: `blobs/sha256/${id}`, body: manifest });
    for (const tag of image.tags) {
      descriptors.push({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: `sha256:${id}`,
        size: manifest.length,
        annotations: { 'io.containerd.image.name': tag, 'org.opencontainers.image.ref.name': tag.slice(tag.lastIndexOf(':') + 1) },
      });
    }
    items.push({
      Config: `blobs/sha256/${image.id}`,
      RepoTags: image.tags,
      Layers: image.layers.map(({ diffID }) => `blobs/sha256/${diffID}`),
      LayerSources: Object.fromEntries(layers.map((layer) => [layer.digest, layer])),
    });
  }
  return [
    folder('blobs'),
    folder('blobs/sha256'),
    ...once(blobs).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    { name: 'index.json', body: json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: descriptors }) },
    { name: 'manifest.json', body: json(items) },
    { name: 'oci-layout', body: text('{"imageLayoutVersion":"1.0.0"}') },
    repositories(images.map(({ tags, layers }) => ({ tags, top: layers.at(-1)?.diffID ?? '' }))),
  ];
}

/** skopeo and podman: `<diffID>.tar`, with links in docker's old places. */
export async function skopeo(...images: readonly SampleImage[]): Promise<readonly Entry[]> {
  const files: Entry[] = [];
  const links: Entry[] = [];
  for (const image of images) {
    const ids = await chainIds(image);
    files.push(...image.layers.map(({ plain, diffID }) => ({ name: `${diffID}.tar`, body: plain })), { name: `${image.id}.json`, body: image.config });
    for (const [position, { diffID }] of image.layers.entries()) {
      const id = ids[position] ?? '';
      links.push(symlink(`${id}/layer.tar`, `../${diffID}.tar`), { name: `${id}/VERSION`, body: text('1.0') }, { name: `${id}/json`, body: v1json(image, ids, position) });
    }
  }
  const items = images.map(({ id, tags, layers }) => ({ Config: `${id}.json`, RepoTags: tags, Layers: layers.map(({ diffID }) => `${diffID}.tar`) }));
  const tops: { tags: readonly string[]; top: string }[] = [];
  for (const image of images) tops.push({ tags: image.tags, top: (await chainIds(image)).at(-1) ?? '' });
  return once([...files, ...links, { name: 'manifest.json', body: json(items) }, repositories(tops)]);
}

/** crane and kaniko: a config called by its whole digest, layers of gzip. */
export async function crane(...images: readonly SampleImage[]): Promise<readonly Entry[]> {
  const files: Entry[] = [];
  const items: object[] = [];
  for (const { id, config, tags, layers } of images) {
    files.push({ name: `sha256:${id}`, body: config });
    const names: string[] = [];
    for (const { plain } of layers) {
      const body = new Uint8Array(gzipSync(plain, { level: 6 }));
      names.push(`${await hexOf(body)}.tar.gz`);
      files.push({ name: names.at(-1) ?? '', body });
    }
    items.push({ Config: `sha256:${id}`, RepoTags: tags, Layers: names });
  }
  return once([...files, { name: 'manifest.json', body: json(items) }]);
}

/** As somebody's script may write it, with layers of zstd. */
export async function zstdLayers(...images: readonly SampleImage[]): Promise<readonly Entry[]> {
  const files: Entry[] = [];
  for (const { config, layers } of images) {
    files.push({ name: 'config.json', body: config });
    for (const { plain, diffID } of layers) files.push({ name: `layers/${diffID}`, body: await compressed('zstd', plain) });
  }
  const items = images.map(({ tags, layers }) => ({ Config: './config.json', RepoTags: tags, Layers: layers.map(({ diffID }) => `./layers/${diffID}`) }));
  return [{ name: 'manifest.json', body: json(items) }, ...once(files)];
}

export async function compressed(codec: string, plain: Uint8Array): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of codecByName(codec).compress(cut(plain))) chunks.push(chunk);
  return join(...chunks);
}

/** Every form in which one image can be written; `zstdLayers` and the like hold one only. */
export const forms = { docker1, docker24, docker25, skopeo, crane } as const;
