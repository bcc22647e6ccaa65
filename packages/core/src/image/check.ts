import { collect } from '../bytes/source.ts';
import { detectCodec } from '../compression/codecs.ts';
import { OciTarError } from '../errors.ts';
import { parseConfig } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hashAlgorithm, isComputable } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { isConfigType, isForeignType, isLayerType, layerCompression } from '../spec/media-type.ts';
import type { Manifest } from '../spec/manifest.ts';
import type { LayerCompression } from '../spec/media-type.ts';
import { eachOf } from './each.ts';
import type { Content, Plan } from './plan.ts';
import { openBlob, prefetch, readBlob, readDocument, together } from './read.ts';
import type { ImageStore } from './store.ts';

/** So many first bytes tell every compression. */
const headLength = 6;

/** Layers that are looked at at a time. */
const jobs = 8;

/**
 * Reads the configs of a plan's images and the first bytes of their layers, before anything moves: a config that is none, or has
 * not one diffID for each layer, makes an image that nobody can unpack. INVALID_MANIFEST, INVALID_JSON. INVALID_COMPRESSION for a
 * layer of an OCI layout whose bytes contradict its media type. DIGEST_MISMATCH for a plain layer whose digest is not its diffID,
 * UNSUPPORTED for a diffID that cannot be checked here. What a compressed layer unpacks to is left to `verifyImages`, as it takes
 * far longer than an import.
 */
export async function checkConfigs(plan: Plan, limits: JsonLimits = defaultLimits): Promise<void> {
  const compressions = new Compressions(plan);
  const contents = [...plan.contents.values()].filter(({ role }) => role === 'manifest');
  for (let first = 0; first < contents.length; first += together) {
    const images = await imagesOf(contents.slice(first, first + together), limits);
    await prefetch(images.map(({ source, manifest }) => ({ source, descriptor: manifest.config })));
    for (const image of images) await checkImage(image, plan, compressions, limits);
  }
}

interface Image {
  readonly source: ImageStore;
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

/** Those of the manifests that are images. Of an artifact a layer may be any file, whatever its type says: `oras push` calls them all tar. */
async function imagesOf(contents: readonly Content[], limits: JsonLimits): Promise<readonly Image[]> {
  const placed = contents.flatMap(({ descriptor, origins: [source] }) => (source === undefined ? [] : [{ source, descriptor }]));
  await prefetch(placed);
  const images: Image[] = [];
  for (const { source, descriptor } of placed) {
    const document = await readDocument(source, descriptor, limits);
    if (document?.kind === 'manifest' && isConfigType(document.manifest.config.mediaType)) images.push({ source, descriptor, manifest: document.manifest });
  }
  return images;
}

async function checkImage({ source, descriptor, manifest }: Image, plan: Plan, compressions: Compressions, limits: JsonLimits): Promise<void> {
  const { config, layers } = manifest;
  await compressions.check(layers);
  if (!layers.every((layer) => isLayerType(layer.mediaType))) return;
  const { rootfs } = parseConfig(await readBlob(source, config, limits.bytes), { limits, subject: `config ${config.digest}` });
  if (rootfs.diff_ids.length === layers.length) return checkDiffIDs(plan, layers, rootfs.diff_ids);
  throw new OciTarError('INVALID_MANIFEST', `manifest ${descriptor.digest} has ${layers.length} layers, its config ${rootfs.diff_ids.length} diffIDs`, {
    side: 'source',
    subject: descriptor.digest,
    expected: layers.length,
    actual: rootfs.diff_ids.length,
  });
}

/** A layer that is not compressed is its own diffID. */
function checkDiffIDs({ contents }: Plan, layers: readonly Descriptor[], diffIDs: readonly Digest[]): void {
  for (const [position, { digest, mediaType }] of layers.entries()) {
    const diffID = diffIDs[position];
    if (diffID !== undefined && !isComputable(diffID) && contents.has(digest)) {
      throw new OciTarError('UNSUPPORTED', `the diffID ${diffID} of layer ${digest} is of an algorithm that cannot be checked here`, { side: 'source', subject: digest });
    }
    if (layerCompression(mediaType) !== 'none' || diffID === undefined || diffID === digest) continue;
    if (hashAlgorithm(diffID) !== hashAlgorithm(digest)) continue;
    throw new OciTarError('DIGEST_MISMATCH', `layer ${digest} is not compressed, but the config says ${diffID}`, {
      side: 'source',
      subject: digest,
      expected: diffID,
      actual: digest,
    });
  }
}

/** What the first bytes of a plan's layers say of their compression; each layer is looked at once. */
class Compressions {
  readonly #plan: Plan;
  readonly #found = new Map<Digest, LayerCompression>();

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  /** Layers that do not move, foreign ones, and those of types that are not known here are left alone. */
  async check(layers: readonly Descriptor[]): Promise<void> {
    await eachOf(layers, jobs, async ({ digest, mediaType }) => {
      const stated = isForeignType(mediaType) ? undefined : layerCompression(mediaType);
      const content = this.#plan.contents.get(digest);
      if (stated === undefined || content === undefined) return;
      const found = this.#found.get(digest) ?? (await compressionOf(content));
      if (found === undefined) return;
      this.#found.set(digest, found);
      if (found !== stated) throw contradiction(digest, mediaType, stated, found);
    });
  }
}

/** Undefined where this is not known cheaply: a file's first bytes take 20 us, those of a registry a request. */
async function compressionOf({ origins, descriptor }: Content): Promise<LayerCompression | undefined> {
  const [source] = origins;
  if (source?.index === undefined) return undefined;
  const bytes = await openBlob(source, descriptor);
  return detectCodec(await collect(bytes.read(0, Math.min(headLength, bytes.size)), headLength, descriptor.digest)).name;
}

const names: Readonly<Record<LayerCompression, string>> = { gzip: 'gzip', zstd: 'zstd', none: 'a plain tar' };

function contradiction(digest: Digest, mediaType: string, expected: LayerCompression, actual: LayerCompression): OciTarError {
  const found = actual === 'none' ? `not ${names[expected]}` : names[actual];
  return new OciTarError('INVALID_COMPRESSION', `layer ${digest} is of type ${mediaType}, but its bytes are ${found}`, {
    side: 'source',
    subject: digest,
    expected,
    actual,
    hint: 'Nobody could unpack it as its manifest says. Have the image written again by whoever made it.',
  });
}
