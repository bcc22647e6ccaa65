import { Verifier, verified, watched } from '../bytes/digest.ts';
import { abortable } from '../bytes/stream.ts';
import type { ByteStream } from '../bytes/types.ts';
import type { Codec } from '../compression/codec.ts';
import { codecByName, codecForMediaType } from '../compression/codecs.ts';
import { flattenEdit, flattenedType } from '../edit/flatten.ts';
import type { FlattenedLayer } from '../edit/flatten.ts';
import { withMovedReferrers } from '../edit/moved-referrers.ts';
import { rewriteImage } from '../edit/rewrite.ts';
import type { EditableImage, ImageEdit, RewriteOptions, RewrittenManifest } from '../edit/rewrite.ts';
import { OciTarError } from '../errors.ts';
import { tocInTar } from '../image/layer-toc.ts';
import { openImage } from '../image/layers.ts';
import type { ImageLayer, OpenedImage } from '../image/layers.ts';
import type { Gap } from '../image/plan.ts';
import type { PushOptions } from '../image/push.ts';
import { asOwnImage } from '../image/referrers.ts';
import type { ReferrerLimits } from '../image/referrers.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import type { ReadableLayer } from '../layer/input.ts';
import type { MergeLimits } from '../layer/limits.ts';
import { mergeLayers } from '../layer/merge.ts';
import type { MergeRules } from '../layer/merge-state.ts';
import { formatDate } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { onlyImage } from './copy.ts';
import { imageOf } from './image-request.ts';
import type { ImageRequest } from './image-request.ts';
import { Staging } from './staging.ts';

/** How layers are merged. */
export interface MergeChoice extends MergeRules {
  readonly mergeLimits?: Partial<MergeLimits>;
}

export interface FlattenRequest extends RewriteOptions, MergeChoice, Omit<PushOptions, 'signal'> {
  readonly source: ImageStore;
  /** The image; may be left out where the source has just one. */
  readonly reference?: string;
  /** Where the new image goes; may be the source. */
  readonly target: ImageStore;
  /** The new image's name in the target. Null: it is listed there without a name. */
  readonly name: string | null;
  /** How many of the lowest layers stay as they are; 0 by default. */
  readonly keepBase?: number;
  /** Compresses the new layer; as the image's last layer is by default. */
  readonly codec?: Codec;
  readonly level?: number;
  /** Seconds since 1970: of the image and of the new entry in its history; by default the image keeps its date, and the entry has the same. */
  readonly created?: number;
  readonly createdBy?: string;
  /** Takes along copies of what refers to the image, which refer to the new one. Not by default. */
  readonly referrers?: boolean;
  readonly referrerLimits?: Partial<ReferrerLimits>;
}

export interface FlattenReport {
  readonly image: NamedImage;
  /** The image that was flattened. */
  readonly from: Descriptor;
  /** The images that were flattened, with how many layers became one: one, or those of an index that were chosen. */
  readonly manifests: readonly (RewrittenManifest & { readonly merged: number })[];
  readonly referrers: readonly NamedImage[];
  /** What the image refers to and is not in the target. */
  readonly gaps: readonly Gap[];
}

/**
 * Makes an image of one layer out of an image of several, platform by platform, or of one above its first `keepBase` layers, which keep
 * their digests. Config, history, annotations and attestations stay. Every layer is verified before the new one is begun. The same image
 * gives the same image. NOT_FOUND where there is no such image or platform; INVALID_ARGUMENT for a `keepBase` that no image has layers
 * above of; errors of `mergeLayers`.
 */
export async function flattenImage(request: FlattenRequest): Promise<FlattenReport> {
  const { source, target, signal, keepBase = 0 } = request;
  if (!Number.isSafeInteger(keepBase) || keepBase < 0) throw new OciTarError('INVALID_ARGUMENT', `${keepBase} is no number of layers to keep`);
  const found = asOwnImage(request.reference === undefined ? await onlyImage(source) : await source.resolve(request.reference));
  const staging = await Staging.open(target, signal);
  try {
    const merged = new Map<string, number>();
    const edit = async (image: EditableImage): Promise<ImageEdit> => {
      const count = image.manifest.layers.length - keepBase;
      // What is one layer already stays; but with nothing below it, it may still have whiteouts in it.
      if (count < (keepBase === 0 ? 1 : 2)) return {};
      merged.set(image.descriptor.digest, count);
      return flattenEdit(image, await flattenedLayer(staging, image, request), {
        keepBase,
        ...(request.created === undefined ? {} : { created: formatDate(request.created) }),
        ...(request.createdBy === undefined ? {} : { createdBy: request.createdBy }),
      });
    };
    const rewritten = await rewriteImage(source, found.descriptor, edit, request);
    if (merged.size === 0) {
      throw new OciTarError('INVALID_ARGUMENT', `the image has nothing to flatten${keepBase === 0 ? '' : `: no two layers above the first ${keepBase}`}`, { subject: found.name ?? found.descriptor.digest });
    }
    const moved = [...rewritten.images, { from: found.descriptor, to: rewritten.root }];
    const from = request.referrers === true ? withMovedReferrers(rewritten.source, moved, request.limits) : rewritten.source;
    const image: NamedImage = { ...(request.name === null ? {} : { name: request.name }), descriptor: rewritten.root };
    // All platforms move; those that were not chosen as they are.
    const { platforms: _platforms, ...options } = request;
    const plan = await staging.move(from, [image], options);
    const manifests = rewritten.images.map((one) => ({ ...one, merged: merged.get(one.from.digest) ?? 0 }));
    return { image, from: found.descriptor, manifests, referrers: plan.referrers, gaps: plan.gaps };
  } catch (error) {
    await staging.abort(error);
    throw error;
  } finally {
    await staging.dispose();
  }
}

async function flattenedLayer(staging: Staging, image: EditableImage, request: FlattenRequest): Promise<FlattenedLayer> {
  const { keepBase = 0, level, signal } = request;
  const opened = await openImage(request.source, image.descriptor, request.limits === undefined ? {} : { limits: request.limits });
  const codec = request.codec ?? codecForMediaType(image.manifest.layers.at(-1)?.mediaType ?? '') ?? codecByName('gzip');
  const diff = new Verifier({}, { algorithm: 'sha256' });
  try {
    const plain = abortable(mergedBytes(opened, keepBase, request), signal);
    const { digest, size } = await staging.add(codec.compress(watched(plain, diff), level === undefined ? {} : { level }));
    const { digest: diffID } = await diff.finish();
    return { descriptor: { mediaType: flattenedType(image, codec), digest, size }, diffID };
  } finally {
    // A digester on a thread keeps the process alive.
    diff.dispose();
  }
}

export interface MergedTarRequest extends MergeChoice, ImageRequest {}

/**
 * The root filesystem of an image of one platform as a plain tar, without whiteouts; not a byte comes before every layer was read and
 * verified. Errors of `openImage` and `mergeLayers`.
 */
export async function* mergedTar(request: MergedTarRequest): ByteStream {
  yield* mergedBytes(await imageOf(request), 0, request);
}

function mergedBytes({ layers }: OpenedImage, keepBase: number, { mergeLimits, signal, duplicates, danglingLinks }: MergeChoice & { readonly signal?: AbortSignal }): ByteStream {
  const inputs = layers.map((layer): ReadableLayer => ({ read: () => layer.read(), reread: () => readAgain(layer), isPlain: true, isHidden: tocInTar(layer, signal) }));
  return mergeLayers(inputs.slice(keepBase).toReversed(), {
    ...(keepBase === 0 ? {} : { base: inputs.slice(0, keepBase).toReversed() }),
    ...(mergeLimits === undefined ? {} : { limits: mergeLimits }),
    ...(signal === undefined ? {} : { signal }),
    ...(duplicates === undefined ? {} : { duplicates }),
    ...(danglingLinks === undefined ? {} : { danglingLinks }),
  });
}

/** The plain tar of a layer whose diffID was verified already: the same blob unpacks to the same tar, so its digest is enough. */
async function* readAgain({ descriptor, open, read }: ImageLayer): ByteStream {
  const codec = codecForMediaType(descriptor.mediaType);
  if (codec === undefined) {
    yield* read();
    return;
  }
  yield* codec.decompress(verified((await open()).read(), descriptor));
}
