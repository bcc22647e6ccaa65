import { digestBytes } from '../../bytes/digest.ts';
import { bytesSource } from '../../bytes/source.ts';
import type { ByteSource } from '../../bytes/types.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { eachOf } from '../../image/each.ts';
import type { ImageStore, NamedImage } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import { stringifyJson } from '../../spec/json.ts';
import { defaultLimits } from '../../spec/limits.ts';
import type { JsonLimits } from '../../spec/limits.ts';
import { mediaTypes } from '../../spec/media-type.ts';
import type { ImageDriver } from '../driver.ts';
import { findImage, imageOf } from '../find.ts';
import { completed, namedEntry } from '../names.ts';
import { dockerManifestPath, hasFile } from './files.ts';
import { manifestParts } from './items.ts';
import { LayerFiles } from './layers.ts';
import type { LayerFilesOptions } from './layers.ts';
import { legacyParts } from './legacy.ts';
import type { ImageParts, LayerPart } from './parts.ts';

export interface DockerStoreOptions extends LayerFilesOptions {
  /** For `manifest.json` and the configs. */
  readonly limits?: JsonLimits;
}

/** Layers read at a time, when their digests have to be found: hashing and unpacking run on threads of their own. */
const jobs = 3;

/**
 * The images of a docker archive (`docker save` of any age, and what others write in its form) as OCI images: the config and
 * the layers keep their bytes, and the manifest is made up, the same each time. Nothing is read before it is asked for.
 * `@N` is the Nth image that the archive lists, from 0.
 */
export function dockerStore(driver: ImageDriver, options: DockerStoreOptions = {}): ImageStore {
  return new DockerStore(driver, options);
}

interface Blob {
  readonly source: ByteSource;
  readonly problem?: OciTarError;
}

interface Contents {
  /** Each image under each of its names, in the archive's order. */
  readonly entries: readonly Descriptor[];
  /** One for each image that the archive lists. */
  readonly firsts: readonly Descriptor[];
  readonly blobs: ReadonlyMap<Digest, Blob>;
}

class DockerStore implements ImageStore {
  readonly name: string;
  readonly format = 'docker-archive';
  readonly #driver: ImageDriver;
  readonly #options: DockerStoreOptions;
  #contents: Promise<Contents> | undefined;

  constructor(driver: ImageDriver, options: DockerStoreOptions) {
    this.name = driver.name;
    this.#driver = driver;
    this.#options = options;
  }

  async *images(): AsyncIterable<NamedImage> {
    for (const entry of (await this.#read()).entries) yield imageOf(entry);
  }

  async resolve(reference: string): Promise<NamedImage> {
    const { entries, firsts } = await this.#read();
    // An image with several names is counted once.
    return findImage(/^@\d+$/.test(reference) ? firsts : entries, reference, this.name);
  }

  async open(descriptor: Descriptor): Promise<ByteSource> {
    const { digest, size, mediaType } = descriptor;
    const blob = (await this.#read()).blobs.get(digest);
    if (blob === undefined) throw new OciTarError('NOT_FOUND', `${this.name} has no blob ${digest} (${mediaType}, ${size} bytes)`, { subject: digest });
    if (blob.problem !== undefined) throw blob.problem;
    if (blob.source.size === size) return blob.source;
    throw new OciTarError('SIZE_MISMATCH', `blob ${digest} has ${blob.source.size} bytes in ${this.name}, expected ${size}`, { expected: size, actual: blob.source.size, subject: digest });
  }

  close(): Promise<void> {
    return this.#driver.close();
  }

  #read(): Promise<Contents> {
    return (this.#contents ??= readContents(this.#driver, this.#options));
  }
}

async function readContents(driver: ImageDriver, options: DockerStoreOptions): Promise<Contents> {
  const files = new LayerFiles(driver, options);
  const partsOptions = { ...options, limits: options.limits ?? defaultLimits };
  const images = (await hasFile(driver, dockerManifestPath)) ? await manifestParts(driver, partsOptions) : await legacyParts(driver, files, partsOptions);
  const blobs = new Map<Digest, Blob>();
  const entries: Descriptor[] = [];
  const firsts: Descriptor[] = [];
  for (const image of images) {
    options.signal?.throwIfAborted();
    const manifest = await manifestOf(image, files, blobs, options.signal);
    const names = [...new Set(image.names.map(completed))];
    const named = names.length === 0 ? [manifest] : names.map((name) => namedEntry(manifest, name, 'plain'));
    entries.push(...named);
    firsts.push(named[0] ?? manifest);
  }
  return { entries: withoutRepeats(entries, driver.name), firsts, blobs };
}

/** The manifest of an image; what it refers to is added to the blobs. */
async function manifestOf({ subject, config, layers }: ImageParts, files: LayerFiles, blobs: Map<Digest, Blob>, signal: AbortSignal | undefined): Promise<Descriptor> {
  const descriptors = new Map<LayerPart, Descriptor>();
  const describe = async (layer: LayerPart, stop: AbortSignal) => {
    descriptors.set(layer, await layerOf(layer, subject, files, blobs, stop));
  };
  await eachOf(layers, jobs, describe, signal);
  const add = async (mediaType: string, bytes: Uint8Array): Promise<Descriptor> => {
    const digest = await digestBytes(bytes);
    blobs.set(digest, { source: bytesSource(bytes) });
    return { mediaType, digest, size: bytes.byteLength };
  };
  return add(
    mediaTypes.manifest,
    stringifyJson({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: await add(mediaTypes.config, config),
      layers: layers.map((layer) => descriptors.get(layer)),
    }),
  );
}

async function layerOf({ path, diffID, elsewhere }: LayerPart, subject: string, files: LayerFiles, blobs: Map<Digest, Blob>, signal: AbortSignal): Promise<Descriptor> {
  try {
    const { mediaType, digest, size, source, problem } = await files.layer(path, diffID, signal);
    const earlier = blobs.get(digest);
    if (earlier === undefined) blobs.set(digest, { source, ...(problem && { problem }) });
    else if (earlier.source.size !== size) {
      throw new OciTarError('SIZE_MISMATCH', `${subject}: layer ${path} has ${size} bytes, and another file of the same diffID ${earlier.source.size}`, { expected: earlier.source.size, actual: size, subject: path });
    }
    return { mediaType, digest, size };
  } catch (error) {
    if (!isOciTarError(error, 'NOT_FOUND')) throw error;
    if (elsewhere !== undefined) return elsewhere;
    throw new OciTarError('NOT_FOUND', `${error.message}, a layer of ${subject.slice(subject.lastIndexOf(': ') + 2)}`, { ...error.details, cause: error, side: 'source' });
  }
}

/** A name that stands twice for one image is one; for two it is refused, since readers differ in which they take. */
function withoutRepeats(entries: readonly Descriptor[], archive: string): readonly Descriptor[] {
  const byName = new Map<string, Descriptor>();
  return entries.filter((entry) => {
    const name = imageOf(entry).name ?? entry.digest;
    const earlier = byName.get(name);
    if (earlier === undefined) byName.set(name, entry);
    else if (earlier.digest !== entry.digest) throw new OciTarError('INVALID_MANIFEST', `${archive} gives the name ${name} to two images`, { subject: name });
    return earlier === undefined;
  });
}
