import { digestBytes } from '../bytes/digest.ts';
import { convertEdit } from '../edit/convert.ts';
import type { ConvertedLayer } from '../edit/convert.ts';
import type { LayerForm } from '../edit/layer-forms.ts';
import { withMovedReferrers } from '../edit/moved-referrers.ts';
import { rewriteImage } from '../edit/rewrite.ts';
import type { EditableImage, ImageEdit, RewriteOptions, RewrittenManifest } from '../edit/rewrite.ts';
import { OciTarError } from '../errors.ts';
import { eachOf } from '../image/each.ts';
import { openImage } from '../image/layers.ts';
import type { ImageLayer } from '../image/layers.ts';
import { withBlobs } from '../image/overlay.ts';
import type { Gap } from '../image/plan.ts';
import type { PushOptions } from '../image/push.ts';
import { asOwnImage } from '../image/referrers.ts';
import type { ReferrerLimits } from '../image/referrers.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { stringifyJson } from '../spec/json.ts';
import { emptyDescriptor, isForeignType, isLayerType, mediaTypes, withLayerCompression } from '../spec/media-type.ts';
import { tagOfName, withTag } from '../spec/referrer-tag.ts';
import { onlyImage } from './copy.ts';
import { Staging } from './staging.ts';

export interface ConvertRequest extends RewriteOptions, Omit<PushOptions, 'signal'> {
  readonly source: ImageStore;
  /** The image; may be left out where the source has just one. */
  readonly reference?: string;
  /** Where the new image goes; may be the source. */
  readonly target: ImageStore;
  /** The new image's name in the target. Null: it is listed there without a name. */
  readonly name: string | null;
  /** What the layers are to become. A layer that is of this form already stays as it is. */
  readonly form: LayerForm;
  /** Prioritized files that are in none of an image's layers: an error (NOT_FOUND, the default), or told in the report. */
  readonly missingPrioritized?: 'error' | 'report';
  /** Takes along copies of what refers to the image, which refer to the new one. Not by default. */
  readonly referrers?: boolean;
  readonly referrerLimits?: Partial<ReferrerLimits>;
}

export interface ConvertReport {
  readonly image: NamedImage;
  readonly from: Descriptor;
  readonly manifests: readonly RewrittenManifest[];
  /** Each layer that was written anew, once. */
  readonly layers: readonly { readonly from: Descriptor; readonly to: Descriptor }[];
  /** The image that holds the TOCs, where these are not in the layers: its name ends in `-esgztoc`. */
  readonly tocImage?: NamedImage;
  /** Prioritized files that are in none of the layers of an image. */
  readonly missingPrioritized: readonly string[];
  /** Whether the image, or one of its layers, had annotations that docker's media types cannot hold. */
  readonly lostAnnotations: boolean;
  readonly referrers: readonly NamedImage[];
  readonly gaps: readonly Gap[];
}

/** What stargz-snapshotter looks for beside a tag whose layers have their TOCs elsewhere. */
const tocImageSuffix = '-esgztoc';
const layerOfTocAnnotation = 'containerd.io/snapshot/stargz/layer.digest';
const tocImageType = 'application/vnd.containerd.snapshot.stargz.toc';

/**
 * Writes the layers of an image in another form, platform by platform; config, history, annotations and attestations stay. A layer that
 * is used twice is converted once. Each new layer is read back and verified before the image gets its name. Forms that are annotated
 * need OCI's media types, which they get unless docker's are asked for. NOT_FOUND where there is no such image or platform, or a
 * prioritized file is missing; errors of the layers.
 */
export async function convertImage(request: ConvertRequest): Promise<ConvertReport> {
  const { source, target, signal, form } = request;
  const found = asOwnImage(request.reference === undefined ? await onlyImage(source) : await source.resolve(request.reference));
  const staging = await Staging.open(target, signal);
  try {
    const conversion = new Conversion(staging, request);
    const family = request.mediaTypes ?? (form.annotated ? 'oci' : undefined);
    const rewritten = await rewriteImage(source, found.descriptor, (image) => conversion.edit(image), family === undefined ? request : { ...request, mediaTypes: family });
    const image: NamedImage = { ...(request.name === null ? {} : { name: request.name }), descriptor: rewritten.root };
    const tocs = await conversion.tocImage(request.name);
    const overlay = tocs === undefined ? rewritten.source : withBlobs(rewritten.source, tocs.blobs);
    const moved = [...rewritten.images, { from: found.descriptor, to: rewritten.root }];
    const from = request.referrers === true ? withMovedReferrers(overlay, moved, request.limits) : overlay;
    // All platforms move; those that were not chosen as they are.
    const { platforms: _platforms, ...options } = request;
    const plan = await staging.move(from, [image, ...(tocs === undefined ? [] : [tocs.image])], options);
    return {
      image,
      from: found.descriptor,
      manifests: rewritten.images,
      layers: conversion.written,
      ...(tocs === undefined ? {} : { tocImage: tocs.image }),
      missingPrioritized: conversion.missing,
      lostAnnotations: rewritten.lostAnnotations,
      referrers: plan.referrers,
      gaps: plan.gaps,
    };
  } catch (error) {
    await staging.abort(error);
    throw error;
  } finally {
    await staging.dispose();
  }
}

class Conversion {
  readonly written: { readonly from: Descriptor; readonly to: Descriptor }[] = [];
  readonly #staging: Staging;
  readonly #request: ConvertRequest;
  readonly #layers = new Map<string, Promise<WrittenLayer>>();
  readonly #missing = new Set<string>();

  constructor(staging: Staging, request: ConvertRequest) {
    this.#staging = staging;
    this.#request = request;
  }

  get missing(): readonly string[] {
    return [...this.#missing];
  }

  async edit(image: EditableImage): Promise<ImageEdit> {
    const { source, form, limits, jobs = 2, signal } = this.#request;
    // Artifacts and what cannot be fetched stay as they are.
    if (!image.manifest.layers.every(({ mediaType }) => isLayerType(mediaType))) return {};
    const { layers } = await openImage(source, image.descriptor, limits === undefined ? {} : { limits });
    const converted: (WrittenLayer | undefined)[] = layers.map(() => undefined);
    const positions: [number, ImageLayer][] = [];
    for (const [position, layer] of layers.entries()) {
      if (!isForeignType(layer.descriptor.mediaType) && !(await form.isOf(layer))) positions.push([position, layer]);
    }
    await eachOf(positions, form.annotated ? 1 : jobs, async ([position, layer]) => void (converted[position] = await this.#converted(layer)), signal);
    this.#noteMissing(converted, positions.length);
    return convertEdit(image, converted);
  }

  /** The image of the TOCs that are not in their layers, sorted by their digests. */
  async tocImage(name: string | null): Promise<{ readonly image: NamedImage; readonly blobs: ReadonlyMap<Digest, Uint8Array> } | undefined> {
    const blobs = new Map<Digest, Uint8Array>();
    const layers: Descriptor[] = [];
    for (const { descriptor, externalToc } of await Promise.all(this.#layers.values())) {
      if (externalToc === undefined) continue;
      const digest = await digestBytes(externalToc);
      blobs.set(digest, externalToc);
      layers.push({ mediaType: mediaTypes.layerGzip, digest, size: externalToc.byteLength, annotations: { [layerOfTocAnnotation]: descriptor.digest } });
    }
    if (layers.length === 0) return undefined;
    layers.sort((a, b) => (a.digest < b.digest ? -1 : 1));
    const { data: _data, ...config } = emptyDescriptor;
    blobs.set(config.digest, new TextEncoder().encode('{}'));
    const bytes = stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: tocImageType, config, layers });
    const descriptor: Descriptor = { mediaType: mediaTypes.manifest, digest: await digestBytes(bytes), size: bytes.byteLength, artifactType: tocImageType };
    blobs.set(descriptor.digest, bytes);
    const tag = name === null ? undefined : (tagOfName(name) ?? 'latest');
    return { image: { descriptor, ...(name === null || tag === undefined ? {} : { name: withTag(name, tag + tocImageSuffix) }) }, blobs };
  }

  /** Once for all images that use it. */
  #converted(layer: ImageLayer): Promise<WrittenLayer> {
    const key = `${layer.descriptor.mediaType} ${layer.descriptor.digest} ${layer.diffID}`;
    const converting = this.#layers.get(key) ?? this.#convert(layer);
    this.#layers.set(key, converting);
    return converting;
  }

  async #convert(layer: ImageLayer): Promise<WrittenLayer> {
    const { form } = this.#request;
    const { blob, report } = form.write(layer);
    const { digest, size } = await this.#staging.add(blob);
    const written = report();
    await form.check(this.#staging.open(digest), written);
    const mediaType = withLayerCompression(layer.descriptor.mediaType, form.codec.name) ?? mediaTypes.layer + form.codec.suffix;
    const descriptor: Descriptor = { mediaType, digest, size, ...(written.annotations === undefined ? {} : { annotations: written.annotations }) };
    this.written.push({ from: layer.descriptor, to: descriptor });
    const { diffID, externalToc, missing = [] } = written;
    return { descriptor, diffID, missing, ...(externalToc === undefined ? {} : { externalToc }) };
  }

  /** Missing is what no layer of the image has. */
  #noteMissing(layers: readonly (WrittenLayer | undefined)[], count: number): void {
    const found = layers.filter((layer) => layer !== undefined);
    const missing = (found[0]?.missing ?? []).filter((path) => found.every((layer) => layer.missing.includes(path)));
    if (missing.length === 0 || count === 0) return;
    if (this.#request.missingPrioritized !== 'report') {
      const more = missing.length > 3 ? ` and ${missing.length - 3} more` : '';
      throw new OciTarError('NOT_FOUND', `the image has no file ${missing.slice(0, 3).join(', ')}${more} to be put first`, { side: 'source', ...(missing[0] === undefined ? {} : { subject: missing[0] }) });
    }
    for (const path of missing) this.#missing.add(path);
  }
}

interface WrittenLayer extends ConvertedLayer {
  readonly externalToc?: Uint8Array;
  readonly missing: readonly string[];
}
