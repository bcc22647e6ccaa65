import { mediaTypes, parsePlatform, stringifyJson } from '@oci-tar/core';
import type { Content, Descriptor, ImageStore, NamedImage, Platform, WriteSession } from '@oci-tar/core';
import { layerOf, memoryStore, pushBytes, pushJson } from './images.ts';

/** What there is of one platform of an image. */
export interface PlatformContents {
  readonly platform: Platform;
  /** As the image's index lists it. */
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** What BuildKit adds to each: provenance, in a manifest of its own. */
  readonly attestation?: { readonly manifest: Descriptor; readonly config: Descriptor; readonly layer: Descriptor };
}

export interface MultiImage {
  readonly image: NamedImage;
  /** By platform, as they are spelled in the call. */
  readonly of: Readonly<Record<string, PlatformContents>>;
}

export interface MultiOptions {
  readonly attestations?: boolean;
  /** More fields of the index. */
  readonly fields?: object;
  /** More fields of the index's entries. */
  readonly entryFields?: object;
  /** Further layers of each platform. */
  readonly layers?: readonly Descriptor[];
}

export async function session(store: ImageStore): Promise<WriteSession> {
  if (store.begin === undefined) throw new Error(`${store.name} is read-only`);
  return store.begin();
}

/** Writes an image of several platforms as BuildKit does: images first, then what attests each of them. */
export async function addMulti(store: ImageStore, name: string, platforms: readonly string[], options: MultiOptions = {}): Promise<MultiImage> {
  const opened = await session(store);
  const of: Record<string, PlatformContents> = {};
  for (const text of platforms) of[text] = await onePlatform(opened, parsePlatform(text), options);
  const entries = Object.values(of);
  const manifests = [...entries.map(({ manifest }) => ({ ...manifest, ...options.entryFields })), ...entries.flatMap(({ attestation }) => attestation?.manifest ?? [])];
  const root = await pushJson(opened, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, manifests, ...options.fields });
  await opened.name(name, root);
  await opened.end();
  return { image: { name, descriptor: root.descriptor }, of };
}

async function onePlatform(opened: WriteSession, platform: Platform, { attestations = false, layers: more = [] }: MultiOptions): Promise<PlatformContents> {
  const text = `${platform.os}/${platform.architecture}/${platform.variant ?? ''}`;
  const layer = (await pushBytes(opened, mediaTypes.layer, 'layer', await layerOf({ platform: text }))).descriptor;
  const layers = [layer, ...more];
  const config = await pushJson(opened, mediaTypes.config, 'config', { ...platform, config: {}, rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) } });
  const content = await pushManifest(opened, config, layers);
  const manifest = { ...content.descriptor, platform };
  const found = { platform, manifest, config: config.descriptor, layers };
  return attestations ? { ...found, attestation: await attest(opened, manifest) } : found;
}

async function attest(opened: WriteSession, image: Descriptor): Promise<NonNullable<PlatformContents['attestation']>> {
  const statement = stringifyJson({ _type: 'https://in-toto.io/Statement/v0.1', predicateType: 'https://slsa.dev/provenance/v1', subject: [{ digest: { sha256: image.digest.slice(7) } }] });
  const blob = await pushBytes(opened, 'application/vnd.in-toto+json', 'layer', statement);
  const layer = { ...blob.descriptor, annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' } };
  const config = await pushJson(opened, mediaTypes.config, 'config', { architecture: 'unknown', os: 'unknown', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } });
  const content = await pushManifest(opened, config, [layer]);
  const annotations = { 'vnd.docker.reference.digest': image.digest, 'vnd.docker.reference.type': 'attestation-manifest' };
  return { manifest: { ...content.descriptor, annotations, platform: { architecture: 'unknown', os: 'unknown' } }, config: config.descriptor, layer };
}

function pushManifest(opened: WriteSession, config: Content, layers: readonly Descriptor[]): Promise<Content> {
  return pushJson(opened, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: config.descriptor, layers });
}

/** Writes a document under a name, as it is. */
export async function addDocument(store: ImageStore, name: string | undefined, mediaType: string, value: object): Promise<NamedImage> {
  const opened = await session(store);
  const root = await pushJson(opened, mediaType, mediaType.includes('index') ? 'index' : 'manifest', value);
  await opened.name(name, root);
  await opened.end();
  return name === undefined ? { descriptor: root.descriptor } : { name, descriptor: root.descriptor };
}

/** A layer that is not to be redistributed, put into the store. */
export async function foreignLayer(store: ImageStore, urls: readonly string[]): Promise<Descriptor> {
  const opened = await session(store);
  const { descriptor } = await pushBytes(opened, mediaTypes.foreignLayer, 'layer', await layerOf({ foreign: urls.join(' ') }));
  await opened.end();
  return { ...descriptor, ...(urls.length === 0 ? {} : { urls }) };
}

/** What happens to blobs of a store on their way out. */
export interface Faults {
  readonly absent?: readonly string[];
  /** One bit is another one. */
  readonly damaged?: readonly string[];
}

/** The same place with faults. */
export function faulty(store: ImageStore, { absent = [], damaged = [] }: Faults): ImageStore {
  return {
    name: store.name,
    images: () => store.images(),
    resolve: (reference) => store.resolve(reference),
    close: () => store.close(),
    async open(blob) {
      if (absent.includes(blob.digest)) return memoryStore().open(blob);
      const source = await store.open(blob);
      if (!damaged.includes(blob.digest)) return source;
      return {
        size: source.size,
        async *read(start, end) {
          let first = true;
          for await (const chunk of source.read(start, end)) {
            yield first ? chunk.map((byte, at) => (at === 5 ? byte ^ 1 : byte)) : chunk;
            first = false;
          }
        },
      };
    },
  };
}
