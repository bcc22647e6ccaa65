import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestBytes, parseManifest, readBlob, readDocument } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { listed } from '../../support/images.ts';
import { entriesOf } from '../files.ts';
import { here } from '../images.ts';
import type { HandedImage } from './readers.ts';
import type { Writer } from './writers.ts';

/** What a tool has written, found without our library: digests of manifests and indexes, or of configs where it wrote no manifest. */
export type Written = { readonly digests: readonly string[] } | { readonly configs: readonly string[] };

interface IndexJson {
  readonly manifests: readonly { readonly digest: string }[];
}

export async function writtenAt({ form }: Writer, path: string): Promise<Written> {
  if (form === 'dir') return { digests: [await digestBytes(await readFile(join(path, 'manifest.json')))] };
  if (form === 'layout') return { digests: digestsIn(JSON.parse(await readFile(join(path, 'index.json'), 'utf8')) as IndexJson) };
  const { entries, json } = await entriesOf(path);
  if (entries.has('oci-layout')) return { digests: digestsIn(json('index.json') as IndexJson) };
  const items = json('manifest.json') as readonly { readonly Config: string }[];
  return { configs: items.map(({ Config }) => entries.get(Config)?.digest ?? '') };
}

function digestsIn({ manifests }: IndexJson): readonly string[] {
  return manifests.map(({ digest }) => digest);
}

/** The images of our store as we hand them on. */
export async function handedImages(store: ImageStore): Promise<readonly HandedImage[]> {
  const images: HandedImage[] = [];
  for (const { name = '', descriptor } of await listed(store)) {
    const document = await readDocument(store, descriptor);
    const native = document?.kind === 'index' ? document.index.manifests.find(({ platform }) => platform?.architecture === here.architecture) : descriptor;
    if (native === undefined) throw new Error(`${name} has no manifest for this machine`);
    const { config } = parseManifest(await readBlob(store, native));
    images.push({ name, tag: name.slice(name.lastIndexOf(':') + 1), digest: descriptor.digest, manifest: native.digest, config: config.digest });
  }
  return images;
}
