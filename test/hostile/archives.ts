import { digestBytes, mediaTypes, stringifyJson } from '@oci-tar/core';
import type { Descriptor } from '@oci-tar/core';
import { layerOf } from '../support/images.ts';
import { endMarker, join, rawEntry } from '../tar/raw.ts';
import type { RawHeader } from '../tar/raw.ts';

/** An entry of an archive that is made by hand. */
export interface Entry {
  readonly name: string;
  readonly body: Uint8Array;
  /** Of the header, where it is not a plain file's. */
  readonly header?: RawHeader;
}

/** An image taken apart: each piece can be changed, left out or put elsewhere before it becomes an archive again. */
export interface Pieces {
  readonly layout: Entry;
  readonly index: Entry;
  readonly manifest: Entry;
  readonly config: Entry;
  readonly layer: Entry;
}

export const imageName = 'docker.io/library/hostile:1';

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const layoutEntry: Entry = { name: 'oci-layout', body: text('{"imageLayoutVersion":"1.0.0"}') };

/** What a test says otherwise of an image's documents. */
export interface Changes {
  readonly layer?: Partial<Descriptor> & Record<string, unknown>;
  readonly config?: Partial<Descriptor> & Record<string, unknown>;
  readonly manifest?: Partial<Descriptor> & Record<string, unknown>;
  readonly diffIDs?: readonly string[];
  /** More fields of the manifest. */
  readonly manifestFields?: Record<string, unknown>;
}

/** A sound image of one layer, but for the changes; the digests above a change follow it. */
export async function imagePieces(changes: Changes = {}): Promise<Pieces> {
  // A copy: a Buffer's own slice() would be a view that a test then changes.
  const layer = Uint8Array.from(await layerOf({ hello: 'hostile\n' }));
  const layerDescriptor = { mediaType: mediaTypes.layer, digest: await digestBytes(layer), size: layer.length };
  const config = stringifyJson({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: changes.diffIDs ?? [layerDescriptor.digest] } });
  const configDescriptor = { mediaType: mediaTypes.config, digest: await digestBytes(config), size: config.length };
  const manifest = stringifyJson({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { ...configDescriptor, ...changes.config },
    layers: [{ ...layerDescriptor, ...changes.layer }],
    ...changes.manifestFields,
  });
  const manifestDescriptor = { mediaType: mediaTypes.manifest, digest: await digestBytes(manifest), size: manifest.length, ...changes.manifest };
  return {
    layout: layoutEntry,
    index: indexEntry([named(manifestDescriptor)]),
    manifest: await blobEntry(manifest),
    config: await blobEntry(config),
    layer: await blobEntry(layer),
  };
}

/** A descriptor as index.json lists it, under a name. */
export function named(descriptor: object, name: string = imageName): object {
  return { ...descriptor, annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1) } };
}

export function indexEntry(manifests: readonly object[]): Entry {
  return { name: 'index.json', body: stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }) };
}

export async function blobEntry(body: Uint8Array): Promise<Entry> {
  return { name: blobName(await digestBytes(body)), body };
}

export function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** In the order in which our own archives are; a test that leaves a piece out says so with undefined. */
export function archive(pieces: Partial<Record<keyof Pieces, Entry | undefined>>, ...more: readonly Entry[]): Uint8Array {
  const { layout, index, manifest, config, layer } = pieces;
  return tar([layout, index, manifest, config, layer, ...more].filter((entry) => entry !== undefined));
}

export function tar(entries: readonly Entry[]): Uint8Array {
  return join(...entries.map(({ name, body, header }) => rawEntry({ name, ...header }, body)), endMarker);
}

/** Where an entry's body begins in `tar(entries)`. */
export function bodyOffset(entries: readonly Entry[], entry: Entry): number {
  let offset = 0;
  for (const each of entries) {
    if (each === entry) return offset + 512;
    offset += 512 + Math.ceil(each.body.length / 512) * 512;
  }
  throw new Error(`${entry.name} is not in the archive`);
}

export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const damaged = Uint8Array.from(bytes);
  damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
  return damaged;
}

/** Bytes that look random and are the same every time (xorshift32). */
export function noise(seed: number, length: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  });
}
