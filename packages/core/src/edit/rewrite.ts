import { digestBytes } from '../bytes/digest.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import { withBlobs } from '../image/overlay.ts';
import { chosenChildren } from '../image/platform-choice.ts';
import type { PlatformChoice } from '../image/platform-choice.ts';
import { readBlob } from '../image/read.ts';
import type { ImageStore } from '../image/store.ts';
import { annotationKeys, isCompanion } from '../spec/annotation.ts';
import { parseConfig, platformOf } from '../spec/config.ts';
import type { ImageConfig } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hashAlgorithm } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { parseIndex } from '../spec/image-index.ts';
import { stringifyJson } from '../spec/json.ts';
import type { JsonObject, JsonValue } from '../spec/json.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { parseManifest } from '../spec/manifest.ts';
import type { Manifest } from '../spec/manifest.ts';
import { isConfigType, isIndexType, isManifestType } from '../spec/media-type.ts';
import { matchPlatform } from '../spec/platform-match.ts';
import { formatPlatform } from '../spec/platform.ts';
import type { Platform } from '../spec/platform.ts';
import { arrayIn, isJsonObject, parseRaw, withField } from './json.ts';
import { hasAnnotations, retyped, typeIn } from './media-types.ts';
import type { TypeFamily } from './media-types.ts';

/** One image of a graph: a manifest and its config, checked, and as the JSON that they are, whatever else that says. */
export interface EditableImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly platform: Platform;
  readonly raw: { readonly manifest: JsonObject; readonly config: JsonObject };
}

/** What becomes of it. A document that is left out stays byte for byte; the manifest's reference to its config follows by itself. */
export interface ImageEdit {
  readonly manifest?: JsonObject;
  readonly config?: JsonObject;
}

export interface RewriteOptions {
  /** Which images of an index are edited; all that are here by default. The others stay as they are. */
  readonly platforms?: PlatformChoice;
  /** Whose media types the new documents have, and what they list; as they are by default. Docker's have no annotations: they are lost. */
  readonly mediaTypes?: TypeFamily;
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

export interface Rewritten {
  /** The new root; the old one where nothing changed. */
  readonly root: Descriptor;
  /** The source with the new documents beside what it has; `makePlan` over it finds the whole new image. */
  readonly source: ImageStore;
  /** The images that were edited, in their order. */
  readonly images: readonly RewrittenManifest[];
  /** Whether documents had annotations for which docker's media types have no place. */
  readonly lostAnnotations: boolean;
}

export interface RewrittenManifest {
  readonly platform: Platform;
  readonly from: Descriptor;
  readonly to: Descriptor;
}

/** Indexes inside indexes are followed no deeper; the library copies none that are deeper. */
const deepest = 8;

/**
 * Edits an image: `edit` gets each manifest that is chosen with its config, and every index above is rewritten to what comes of
 * it. What is not edited keeps its digest. What describes an edited image (an attestation beside it in the index) goes on
 * pointing at it. Nothing is written; no layer is read. NOT_FOUND when there is nothing to edit; errors of damaged documents.
 */
export async function rewriteImage(source: ImageStore, root: Descriptor, edit: (image: EditableImage) => Promise<ImageEdit>, options: RewriteOptions = {}): Promise<Rewritten> {
  const rewriting = new Rewriting(source, edit, options);
  const descriptor = await rewriting.visit(root, 0);
  const images = [...rewriting.images.values()];
  if (images.length > 0) return { root: descriptor, source: withBlobs(source, rewriting.documents), images, lostAnnotations: rewriting.lostAnnotations };
  throw new OciTarError('NOT_FOUND', `${root.digest} has no image to edit here${rewriting.seen.size === 0 ? '' : ' for these platforms'}`, {
    side: 'source',
    subject: root.digest,
    ...(rewriting.seen.size === 0 ? {} : { hint: `It has ${[...rewriting.seen].join(', ')}.` }),
  });
}

class Rewriting {
  readonly documents = new Map<Digest, Uint8Array>();
  readonly images = new Map<Digest, RewrittenManifest>();
  /** Platforms that were met, for messages. */
  readonly seen = new Set<string>();
  lostAnnotations = false;
  readonly #source: ImageStore;
  readonly #edit: (image: EditableImage) => Promise<ImageEdit>;
  readonly #options: RewriteOptions;
  readonly #limits: JsonLimits;

  constructor(source: ImageStore, edit: (image: EditableImage) => Promise<ImageEdit>, options: RewriteOptions) {
    this.#source = source;
    this.#edit = edit;
    this.#options = options;
    this.#limits = options.limits ?? defaultLimits;
  }

  async visit(descriptor: Descriptor, depth: number): Promise<Descriptor> {
    this.#options.signal?.throwIfAborted();
    if (depth > deepest) throw new OciTarError('LIMIT_EXCEEDED', `indexes are nested deeper than ${deepest} at ${descriptor.digest}`, { limit: deepest, subject: descriptor.digest });
    if (isIndexType(descriptor.mediaType)) return this.#index(descriptor, depth);
    if (isManifestType(descriptor.mediaType) && !isCompanion(descriptor.annotations)) return this.#manifest(descriptor, depth);
    return descriptor;
  }

  async #index(descriptor: Descriptor, depth: number): Promise<Descriptor> {
    const bytes = await this.#read(descriptor);
    const { manifests } = parseIndex(bytes, { mediaType: descriptor.mediaType, limits: this.#limits, subject: descriptor.digest });
    for (const { platform } of manifests) if (platform !== undefined && platform.os !== 'unknown') this.seen.add(formatPlatform(platform));
    const chosen = chosenChildren(manifests, this.#options.platforms);
    const moved = new Map<string, Digest>();
    const children: Descriptor[] = [];
    for (const [position, child] of manifests.entries()) {
      const result = chosen[position] === true ? await this.#child(child, depth) : child;
      if (result.digest !== child.digest) moved.set(child.digest, result.digest);
      children.push(result);
    }
    if (moved.size === 0 && this.#isOfFamily(descriptor.mediaType)) return descriptor;
    const raw = parseRaw(bytes, { limits: this.#limits, subject: descriptor.digest });
    const listed = arrayIn(raw, 'manifests').map((entry, position) => relisted(entry, children[position], moved));
    return this.#add(descriptor, withField(raw, 'manifests', listed));
  }

  /** A sparse index stays one: a child that is not here cannot be edited. */
  async #child(child: Descriptor, depth: number): Promise<Descriptor> {
    try {
      return await this.visit(child, depth + 1);
    } catch (error) {
      if (isOciTarError(error, 'NOT_FOUND') && this.#options.platforms !== 'all' && error.details.subject === child.digest) return child;
      throw error;
    }
  }

  async #manifest(descriptor: Descriptor, depth: number): Promise<Descriptor> {
    const known = this.images.get(descriptor.digest);
    if (known !== undefined) return { ...descriptor, mediaType: known.to.mediaType, digest: known.to.digest, size: known.to.size };
    const bytes = await this.#read(descriptor);
    const manifest = parseManifest(bytes, { mediaType: descriptor.mediaType, limits: this.#limits, subject: descriptor.digest });
    if (!isConfigType(manifest.config.mediaType)) return descriptor;
    const configBytes = await this.#read(manifest.config);
    const config = parseConfig(configBytes, { limits: this.#limits, subject: manifest.config.digest });
    const platform = platformOf(config);
    if (depth === 0 && !this.#isWanted(platform)) return descriptor;
    const rawManifest = parseRaw(bytes, { limits: this.#limits, subject: descriptor.digest });
    const rawConfig = parseRaw(configBytes, { limits: this.#limits, subject: manifest.config.digest });
    const edited = await this.#edit({ descriptor, manifest, config, platform, raw: { manifest: rawManifest, config: rawConfig } });
    const to = await this.#edited(descriptor, manifest, edited, rawManifest);
    this.images.set(descriptor.digest, { platform, from: descriptor, to });
    return to;
  }

  async #edited(descriptor: Descriptor, manifest: Manifest, edited: ImageEdit, rawManifest: JsonObject): Promise<Descriptor> {
    const document = edited.manifest ?? rawManifest;
    const stays = edited.manifest === undefined && this.#isOfFamily(descriptor.mediaType);
    if (edited.config === undefined) return stays ? descriptor : this.#add(descriptor, document);
    const listed = document['config'];
    if (listed === undefined || !isJsonObject(listed)) throw new OciTarError('INVALID_MANIFEST', `the manifest made of ${descriptor.digest} has no config`, { subject: descriptor.digest });
    const to = await this.#add(manifest.config, edited.config);
    return this.#add(descriptor, withField(document, 'config', relisted(listed, to, new Map())));
  }

  #isWanted(platform: Platform): boolean {
    this.seen.add(formatPlatform(platform));
    const { platforms } = this.#options;
    return platforms === undefined || platforms === 'all' || platforms.some((wanted) => matchPlatform(wanted).match(platform));
  }

  async #read(descriptor: Descriptor): Promise<Uint8Array> {
    return readBlob(this.#source, descriptor, this.#limits.bytes);
  }

  #isOfFamily(mediaType: string): boolean {
    const { mediaTypes } = this.#options;
    return mediaTypes === undefined || typeIn(mediaTypes, mediaType) === mediaType;
  }

  /** The new document in the place of an old one, under the same algorithm; what the old one's descriptor said of its bytes is dropped. */
  async #add(old: Descriptor, edited: JsonObject): Promise<Descriptor> {
    const { mediaTypes: family } = this.#options;
    const mediaType = family === undefined ? old.mediaType : typeIn(family, old.mediaType);
    const document = family === undefined || isConfigType(old.mediaType) ? edited : retyped(edited, mediaType, family);
    if (family === 'docker' && document !== edited && hasAnnotations(edited)) this.lostAnnotations = true;
    const bytes = stringifyJson(document);
    if (bytes.byteLength > this.#limits.bytes) {
      throw new OciTarError('LIMIT_EXCEEDED', `the document made of ${old.digest} would have ${bytes.byteLength} bytes, more than the limit of ${this.#limits.bytes}`, { limit: this.#limits.bytes, actual: bytes.byteLength });
    }
    const digest = await digestBytes(bytes, hashAlgorithm(old.digest));
    const { data: _data, urls: _urls, ...rest } = old;
    const descriptor = { ...rest, mediaType, digest, size: bytes.byteLength };
    if (digest !== old.digest) this.documents.set(digest, bytes);
    return descriptor;
  }
}

/** An entry of a document with the digest and size of what has taken its place; the digest that it describes follows. */
function relisted(entry: JsonValue, to: Descriptor | undefined, moved: ReadonlyMap<string, Digest>): JsonValue {
  if (!isJsonObject(entry) || to === undefined) return entry;
  const described = moved.get(to.annotations?.[annotationKeys.referenceDigest] ?? '');
  const annotations = entry['annotations'];
  const following = described === undefined || annotations === undefined || !isJsonObject(annotations) ? entry : withField(entry, 'annotations', withField(annotations, annotationKeys.referenceDigest, described));
  if (entry['digest'] === to.digest) return following;
  return withField(withField({ ...following, mediaType: to.mediaType, digest: to.digest, size: to.size }, 'data', undefined), 'urls', undefined);
}
