import { OciTarError, annotationKeys, formatPlatform, isOciTarError, parseConfig, platformOf, readBlob, readDocument } from '@oci-tar/core';
import type { Annotations, Descriptor, ImageConfig, ImageStore, Manifest, NamedImage, Platform } from '@oci-tar/core';

/** Indexes inside indexes are followed no deeper than this; the library copies none that are deeper. */
const deepest = 8;

/** One manifest of an image, with its config where that is one of an image. */
export interface ManifestDetails {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config?: ImageConfig;
  readonly platform?: Platform;
}

export interface ImageDetails {
  readonly image: NamedImage;
  /** Of the index, where there is one. */
  readonly annotations?: Annotations;
  /** Those that are here, in the index's order. */
  readonly manifests: readonly ManifestDetails[];
  /** What the index lists and is not here. */
  readonly absent: readonly Descriptor[];
}

/** Reads an image's indexes, manifests and configs; no layer. */
export async function imageDetails(source: ImageStore, image: NamedImage, signal: AbortSignal): Promise<ImageDetails> {
  const manifests: ManifestDetails[] = [];
  const absent: Descriptor[] = [];
  let annotations: Annotations | undefined;
  const visit = async (descriptor: Descriptor, depth: number): Promise<void> => {
    signal.throwIfAborted();
    if (depth > deepest) throw new OciTarError('LIMIT_EXCEEDED', `indexes are nested deeper than ${deepest}`, { limit: deepest, subject: descriptor.digest });
    const document = await readDocument(source, descriptor).catch((error: unknown) => {
      if (depth === 0 || !isOciTarError(error, 'NOT_FOUND')) throw error;
      absent.push(descriptor);
      return undefined;
    });
    if (document?.kind === 'manifest') manifests.push(await manifestDetails(source, descriptor, document.manifest));
    if (document?.kind !== 'index') return;
    if (depth === 0) annotations = document.index.annotations;
    for (const child of document.index.manifests) await visit(child, depth + 1);
  };
  await visit(image.descriptor, 0);
  return { image, manifests, absent, ...(annotations === undefined ? {} : { annotations }) };
}

async function manifestDetails(source: ImageStore, descriptor: Descriptor, manifest: Manifest): Promise<ManifestDetails> {
  const config = await configOf(source, manifest);
  const platform = descriptor.platform ?? (config === undefined ? undefined : platformOf(config));
  return { descriptor, manifest, ...(config === undefined ? {} : { config }), ...(platform === undefined ? {} : { platform }) };
}

/** Undefined for an artifact, whose config is something else, and where the config is not here. */
async function configOf(source: ImageStore, { config }: Manifest): Promise<ImageConfig | undefined> {
  try {
    return parseConfig(await readBlob(source, config));
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND') || isOciTarError(error, 'INVALID_MANIFEST') || isOciTarError(error, 'INVALID_JSON')) return undefined;
    throw error;
  }
}

/** What a manifest is for: a platform, or what accompanies one. */
export function purposeOf({ descriptor, platform, manifest }: ManifestDetails): string {
  return descriptor.annotations?.[annotationKeys.referenceType] ?? (platform === undefined ? (manifest.artifactType ?? manifest.config.mediaType) : formatPlatform(platform));
}
