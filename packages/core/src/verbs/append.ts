import type { ByteStream } from '../bytes/types.ts';
import type { Codec } from '../compression/codec.ts';
import { codecForMediaType, codecByName } from '../compression/codecs.ts';
import { arrayIn, objectIn, withField } from '../edit/json.ts';
import { rewriteImage } from '../edit/rewrite.ts';
import type { EditableImage, ImageEdit, RewriteOptions, RewrittenManifest } from '../edit/rewrite.ts';
import { OciTarError } from '../errors.ts';
import type { Gap } from '../image/plan.ts';
import type { PushOptions } from '../image/push.ts';
import { asOwnImage } from '../image/referrers.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { bytesOfPath, layerPathOf, nameOf, textOfPath } from '../layer/path.ts';
import { formatDate } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { JsonObject } from '../spec/json.ts';
import { mediaTypes, withLayerCompression } from '../spec/media-type.ts';
import { pack, pieceBytes } from '../tar/pack.ts';
import { buildLayer } from './build-layer.ts';
import type { BuiltLayer, LayerOptions } from './build-layer.ts';
import { onlyImage } from './copy.ts';
import { Staging } from './staging.ts';

export interface AppendRequest extends RewriteOptions, Omit<LayerOptions, 'codec'>, Omit<PushOptions, 'signal'> {
  readonly source: ImageStore;
  /** The image; may be left out where the source has just one. */
  readonly reference?: string;
  /** Where the new image goes; may be the source. */
  readonly target: ImageStore;
  /** The new image's name in the target. Null: it is listed there without a name. */
  readonly name: string | null;
  /** Directories and tar files (by their path) or tars that come as streams, the lowest layer first. */
  readonly layers?: readonly (string | ByteStream)[];
  /** Paths that a first layer takes away from the image. */
  readonly whiteouts?: readonly string[];
  /** Directories whose contents a first layer takes away from the image. */
  readonly opaque?: readonly string[];
  /** Compresses what is not compressed yet; as the image's last layer is by default, else gzip. */
  readonly codec?: Codec;
  /** In the history of each new layer: the command, `oci-tar append` by default, and a comment. */
  readonly createdBy?: string;
  readonly comment?: string;
  /** Seconds since 1970: of the history and, where it is given, of the image; no file of a directory gets a later time. */
  readonly created?: number;
}

export interface AppendReport {
  readonly image: NamedImage;
  /** The image that was appended to. */
  readonly from: Descriptor;
  /** The images that got the layers: one, or those of an index that were chosen. */
  readonly manifests: readonly RewrittenManifest[];
  /** Of the new layers, the lowest first. */
  readonly layers: readonly { readonly digest: Digest; readonly diffID: Digest; readonly size: number }[];
  /** What the image refers to and is not in the target. */
  readonly gaps: readonly Gap[];
}

/**
 * Puts new layers on an image, on all of its platforms or those that are chosen. The layers below keep their digests, the config all
 * that it says; the same input gives the same image. NOT_FOUND where there is no such image or platform; INVALID_ARGUMENT without layers.
 */
export async function appendLayers(request: AppendRequest): Promise<AppendReport> {
  const { source, target, signal } = request;
  const removals = removalsOf(request);
  if (removals.length + (request.layers?.length ?? 0) === 0) throw new OciTarError('INVALID_ARGUMENT', 'there is no layer to append');
  const found = asOwnImage(request.reference === undefined ? await onlyImage(source) : await source.resolve(request.reference));
  const staging = await Staging.open(target, signal);
  try {
    let built: Promise<readonly BuiltLayer[]> | undefined;
    const edit = async (image: EditableImage): Promise<ImageEdit> => {
      // Once for all platforms: a stream can be read only once.
      built ??= buildAll(staging, removals, { ...request, codec: request.codec ?? codecOf(image) });
      return appended(image, await built, request);
    };
    const rewritten = await rewriteImage(source, found.descriptor, edit, request);
    const layers = (await built) ?? [];
    const image: NamedImage = { ...(request.name === null ? {} : { name: request.name }), descriptor: rewritten.root };
    // All platforms move; those that were not chosen as they are.
    const { platforms: _platforms, ...options } = request;
    const plan = await staging.move(rewritten.source, [image], options);
    const added = layers.map(({ blob: { digest, size }, diffID }) => ({ digest, diffID, size }));
    return { image, from: found.descriptor, manifests: rewritten.images, layers: added, gaps: plan.gaps };
  } catch (error) {
    await staging.abort(error);
    throw error;
  } finally {
    await staging.dispose();
  }
}

async function buildAll(staging: Staging, removals: readonly string[], request: AppendRequest & LayerOptions): Promise<readonly BuiltLayer[]> {
  const inputs = [...(removals.length === 0 ? [] : [removalLayer(removals)]), ...(request.layers ?? [])];
  const layers: BuiltLayer[] = [];
  for (const input of inputs) layers.push(await buildLayer((bytes) => staging.add(bytes), input, request));
  return layers;
}

function codecOf({ manifest }: EditableImage): Codec {
  return codecForMediaType(manifest.layers.at(-1)?.mediaType ?? '') ?? codecByName('gzip');
}

/** Names of the entries that take something away (image-spec, layer.md, Whiteouts). */
function removalsOf({ whiteouts = [], opaque = [] }: AppendRequest): readonly string[] {
  const path = (text: string, what: string) => {
    const found = layerPathOf(text);
    if (found.split('/').some((part) => part.startsWith('.wh.'))) throw new OciTarError('INVALID_ARGUMENT', `${JSON.stringify(text)} is no path that ${what} can be of: .wh. begins the names of whiteouts`, { subject: text });
    return found;
  };
  const gone = whiteouts.map((text) => {
    const found = path(text, 'a whiteout');
    if (found === '') throw new OciTarError('INVALID_ARGUMENT', 'the root cannot be taken away', { hint: 'An opaque root takes away what is in it.' });
    const name = nameOf(found);
    return `${found.slice(0, found.length - name.length)}.wh.${name}`;
  });
  const emptied = opaque.map((text) => [path(text, 'an opaque directory'), '.wh..wh..opq'].filter((part) => part !== '').join('/'));
  return [...new Set([...gone, ...emptied])].sort();
}

function removalLayer(removals: readonly string[]): ByteStream {
  return pieceBytes(pack(removals.map((path) => ({ path: textOfPath(path), pathBytes: bytesOfPath(path), type: 'file' as const }))));
}

function appended({ manifest, raw }: EditableImage, layers: readonly BuiltLayer[], request: AppendRequest): ImageEdit {
  const docker = raw.manifest['mediaType'] === mediaTypes.dockerManifest || manifest.config.mediaType === mediaTypes.dockerConfig;
  const base = docker ? mediaTypes.dockerLayer : mediaTypes.layer;
  const listed = layers.map(({ blob: { digest, size }, codec }) => ({ mediaType: withLayerCompression(base, codec.name) ?? base, digest, size }));
  const rootfs = objectIn(raw.config, 'rootfs');
  const diffIDs = [...arrayIn(rootfs, 'diff_ids'), ...layers.map(({ diffID }) => diffID)];
  let config: JsonObject = withField(raw.config, 'rootfs', withField(rootfs, 'diff_ids', diffIDs));
  if (request.created !== undefined) config = withField(config, 'created', formatDate(request.created));
  const history = arrayIn(raw.config, 'history');
  // An image that keeps no history, as some tools make them, must not seem to have had these steps only.
  if (history.length > 0 || manifest.layers.length === 0) config = withField(config, 'history', [...history, ...layers.map(() => stepOf(request))]);
  return { config, manifest: withField(raw.manifest, 'layers', [...arrayIn(raw.manifest, 'layers'), ...listed]) };
}

function stepOf({ created = 0, createdBy = 'oci-tar append', comment }: AppendRequest): JsonObject {
  return { created: formatDate(created), created_by: createdBy, ...(comment === undefined ? {} : { comment }) };
}
