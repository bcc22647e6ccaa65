import { OciTarError } from '../../errors.ts';
import { contentOf } from '../../image/make-plan.ts';
import { readBlob, readDocument } from '../../image/read.ts';
import type { Plan } from '../../image/plan.ts';
import type { ImageStore, NamedImage } from '../../image/store.ts';
import { parseConfig } from '../../spec/config.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { digestParts } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { isConfigType, isLayerType, layerCompression } from '../../spec/media-type.ts';
import type { LayerCompression } from '../../spec/media-type.ts';
import type { Manifest } from '../../spec/manifest.ts';
import { formatPlatform } from '../../spec/platform.ts';
import { isReference, parseReference } from '../../spec/reference.ts';

/** A file of a docker archive that is to be written. */
export interface WrittenFile {
  readonly path: string;
  readonly compression: LayerCompression;
  /** Of the bytes without compression. */
  readonly diffID: Digest;
}

/** One image of a docker archive that is to be written, as `manifest.json` has it. */
export interface WrittenItem {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

export interface Written {
  readonly items: readonly WrittenItem[];
  /** By digest of the blob that each is made of. */
  readonly files: ReadonlyMap<Digest, WrittenFile>;
}

/**
 * What a docker archive of a plan's images will hold. It has no platforms: of an index one image must be left by the choice
 * of platforms (CONFLICT with several). UNSUPPORTED for what is no image or lacks a layer, as docker could not read it.
 */
export async function writtenOf(plan: Plan): Promise<Written> {
  if (plan.referrers.length > 0) {
    throw new OciTarError('UNSUPPORTED', `a docker archive cannot hold the ${plan.referrers.length} referrers of its images`, { side: 'target', hint: 'Leave out --referrers, or write an OCI archive: oci-archive:FILE' });
  }
  const items = new Map<Digest, { readonly item: WrittenItem; readonly tags: Set<string> }>();
  const files = new Map<Digest, WrittenFile>();
  for (const { name, descriptor } of plan.images) {
    const image = await chosenImage(plan, { ...(name === undefined ? {} : { name }), descriptor });
    const known = items.get(image.config.digest) ?? { item: await itemOf(plan, image, files), tags: new Set() };
    const tag = tagOf(name);
    if (tag !== undefined) known.tags.add(tag);
    items.set(image.config.digest, known);
  }
  return { items: [...items.values()].map(({ item, tags }) => ({ ...item, RepoTags: tags.size === 0 ? null : [...tags] })), files };
}

async function chosenImage(plan: Plan, { name, descriptor }: NamedImage): Promise<Manifest> {
  const found: { readonly descriptor: Descriptor; readonly manifest: Manifest }[] = [];
  const visit = async (node: Descriptor): Promise<void> => {
    if (!plan.contents.has(node.digest)) return;
    const document = await readDocument(originOf(plan, node), node, { bytes: node.size, depth: 1000 });
    if (document?.kind === 'index') for (const child of document.index.manifests) await visit(child);
    if (document?.kind === 'manifest' && isImage(document.manifest, node)) found.push({ descriptor: node, manifest: document.manifest });
  };
  await visit(descriptor);
  const [first, ...others] = found;
  const subject = name ?? descriptor.digest;
  if (first === undefined) throw new OciTarError('UNSUPPORTED', `${subject} is no image that a docker archive could hold`, { side: 'source', subject, hint: 'An OCI archive holds anything: oci-archive:FILE' });
  if (others.length === 0) return first.manifest;
  const platforms = found.flatMap(({ descriptor: { platform } }) => (platform === undefined ? [] : [formatPlatform(platform)]));
  throw new OciTarError('CONFLICT', `${subject} has ${found.length} platforms, and a docker archive holds one`, {
    side: 'source',
    subject,
    hint: `Choose one: --platform ${platforms[0] ?? 'linux/amd64'} (it has ${platforms.join(', ')}).`,
  });
}

/** An attestation has an image's types too, but says that it runs nowhere. */
function isImage({ config, layers }: Manifest, { platform }: Descriptor): boolean {
  return isConfigType(config.mediaType) && layers.every((layer) => isLayerType(layer.mediaType)) && platform?.os !== 'unknown';
}

async function itemOf(plan: Plan, { config, layers }: Manifest, files: Map<Digest, WrittenFile>): Promise<WrittenItem> {
  const { rootfs } = parseConfig(await readBlob(originOf(plan, config), config, config.size), { limits: { bytes: config.size, depth: 1000 }, subject: config.digest });
  if (rootfs.diff_ids.length !== layers.length) {
    throw new OciTarError('INVALID_MANIFEST', `config ${config.digest} has ${rootfs.diff_ids.length} diffIDs for ${layers.length} layers`, { subject: config.digest, expected: layers.length, actual: rootfs.diff_ids.length });
  }
  const configFile = { path: `${digestParts(config.digest).encoded}.json`, compression: 'none' as const, diffID: config.digest };
  files.set(config.digest, configFile);
  const paths = layers.map((layer, position) => {
    const file = fileOf(layer, rootfs.diff_ids[position] ?? layer.digest);
    if (!plan.contents.has(layer.digest)) {
      throw new OciTarError('UNSUPPORTED', `layer ${layer.digest} is not here but where its urls point, and a docker archive needs it`, { side: 'source', subject: layer.digest });
    }
    files.set(layer.digest, file);
    return file.path;
  });
  return { Config: configFile.path, RepoTags: null, Layers: paths };
}

/** gzip stays; zstd is undone, as docker reads it from 23 on only. */
function fileOf({ mediaType, digest }: Descriptor, diffID: Digest): WrittenFile {
  const compression = layerCompression(mediaType) ?? 'none';
  if (compression === 'none' && digest !== diffID) {
    throw new OciTarError('DIGEST_MISMATCH', `layer ${digest} is not compressed, but the config says ${diffID}`, { side: 'source', expected: diffID, actual: digest, subject: digest });
  }
  const path = compression === 'gzip' ? `${digestParts(digest).encoded}.tar.gz` : `${digestParts(diffID).encoded}.tar`;
  return { path, compression, diffID };
}

/** Names are written in full, since podman takes a short one for its own (`localhost/hello`). docker knows no digests here. */
function tagOf(name: string | undefined): string | undefined {
  if (name === undefined || !isReference(name)) return undefined;
  const { tag, digest } = parseReference(name);
  return tag === undefined || digest !== undefined ? undefined : name;
}

function originOf(plan: Plan, descriptor: Descriptor): ImageStore {
  const [origin] = contentOf(plan, descriptor).origins;
  if (origin === undefined) throw new TypeError('a content of a plan has at least one origin');
  return origin;
}
