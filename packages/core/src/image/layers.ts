import { Verifier, verified, watched } from '../bytes/digest.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { codecForMediaType } from '../compression/codecs.ts';
import { OciTarError } from '../errors.ts';
import { parseConfig, platformOf } from '../spec/config.ts';
import type { History, ImageConfig } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import type { Manifest } from '../spec/manifest.ts';
import { isConfigType, isLayerType } from '../spec/media-type.ts';
import { matchPlatform } from '../spec/platform-match.ts';
import { formatPlatform } from '../spec/platform.ts';
import type { Platform } from '../spec/platform.ts';
import { chosenChildren, describedBy } from './platform-choice.ts';
import { openBlob, readBlob, readDocument } from './read.ts';
import type { ImageStore } from './store.ts';

/** One layer of an image, to be read. */
export interface ImageLayer {
  readonly descriptor: Descriptor;
  /** The digest of the plain tar, as the config has it. */
  readonly diffID: Digest;
  /** The step that made it, where the config says so. */
  readonly history?: History;
  /** The blob as it is stored, unverified. */
  open(): Promise<ByteSource>;
  /**
   * The plain tar, opened anew on each call. Throws instead of ending where the blob is not what the manifest says, or the tar not
   * what the config says: DIGEST_MISMATCH, SIZE_MISMATCH, INVALID_COMPRESSION.
   */
  read(): ByteStream;
  /** The same without any check of digests. */
  readUnverified(): ByteStream;
}

/** An image of one platform, opened. */
export interface OpenedImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly platform: Platform;
  /** The base first. */
  readonly layers: readonly ImageLayer[];
}

export interface OpenImageOptions {
  /** Which image of an index; may be left out where there is just one. */
  readonly platform?: Platform;
  readonly limits?: JsonLimits;
}

/**
 * An image of one platform with its layers. CONFLICT where an index has several and none was chosen, NOT_FOUND where it has none for
 * the platform, UNSUPPORTED for an artifact and for layers of a compression that is not known here.
 */
export async function openImage(store: ImageStore, root: Descriptor, options: OpenImageOptions = {}): Promise<OpenedImage> {
  const { limits = defaultLimits } = options;
  let descriptor = root;
  let document = await readDocument(store, descriptor, limits);
  for (let depth = 0; document?.kind === 'index' && depth < deepest; depth++) {
    descriptor = childOf(document.index.manifests, descriptor, options.platform);
    document = await readDocument(store, descriptor, limits);
  }
  if (document?.kind !== 'manifest' || !isConfigType(document.manifest.config.mediaType)) {
    throw new OciTarError('UNSUPPORTED', `${descriptor.digest} is no image with layers`, { subject: descriptor.digest });
  }
  const { manifest } = document;
  const config = parseConfig(await readBlob(store, manifest.config, limits.bytes), { limits, subject: manifest.config.digest });
  const platform = platformOf(config);
  // What an index says of its images was looked at above.
  if (options.platform !== undefined && descriptor.digest === root.digest && !matchPlatform(options.platform).match(platform)) {
    throw new OciTarError('NOT_FOUND', `${descriptor.digest} is for ${formatPlatform(platform)}, not for ${formatPlatform(options.platform)}`, { side: 'source', subject: descriptor.digest });
  }
  const diffIDs = config.rootfs.diff_ids;
  if (diffIDs.length !== manifest.layers.length) {
    throw new OciTarError('INVALID_MANIFEST', `manifest ${descriptor.digest} has ${manifest.layers.length} layers, its config ${diffIDs.length} diffIDs`, { subject: descriptor.digest });
  }
  const steps = (config.history ?? []).filter((step) => step.empty_layer !== true);
  const layers = diffIDs.flatMap((diffID, position) => {
    const layer = manifest.layers[position];
    if (layer === undefined) return [];
    const step = steps.length === diffIDs.length ? steps[position] : undefined;
    return [{ ...layerOf(store, layer, diffID), ...(step === undefined ? {} : { history: step }) }];
  });
  return { descriptor, manifest, config, platform, layers };
}

const deepest = 8;

function childOf(children: readonly Descriptor[], index: Descriptor, platform: Platform | undefined): Descriptor {
  const images = children.filter((child) => describedBy(child) === undefined && child.platform?.os !== 'unknown');
  const chosen = chosenChildren(images, platform === undefined ? undefined : [platform]);
  const found = images.filter((_, position) => chosen[position] === true);
  const hint = `It has ${images.map((child) => (child.platform === undefined ? child.digest : formatPlatform(child.platform))).join(', ')}.`;
  const [first] = found;
  if (first === undefined) throw new OciTarError('NOT_FOUND', `index ${index.digest} has no image${platform === undefined ? '' : ` for ${formatPlatform(platform)}`}`, { side: 'source', subject: index.digest, hint });
  if (found.length > 1) throw new OciTarError('CONFLICT', `index ${index.digest} has images for several platforms; say which`, { side: 'source', subject: index.digest, hint });
  return first;
}

function layerOf(store: ImageStore, descriptor: Descriptor, diffID: Digest): ImageLayer {
  const codec = isLayerType(descriptor.mediaType) ? codecForMediaType(descriptor.mediaType) : undefined;
  if (codec === undefined) throw new OciTarError('UNSUPPORTED', `layer ${descriptor.digest} is of type ${descriptor.mediaType}, which cannot be unpacked here`, { subject: descriptor.digest });
  return {
    descriptor,
    diffID,
    open: () => openBlob(store, descriptor),
    async *readUnverified() {
      yield* codec.decompress((await openBlob(store, descriptor)).read());
    },
    async *read() {
      const source = await openBlob(store, descriptor);
      const diff = new Verifier({ digest: diffID }, { subject: `layer ${descriptor.digest}, unpacked,` });
      try {
        yield* watched(codec.decompress(verified(source.read(), descriptor)), diff);
        await diff.finish();
      } finally {
        diff.dispose();
      }
    },
  };
}
