import type { Codec } from '../compression/codec.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { JsonObject, JsonValue } from '../spec/json.ts';
import { mediaTypes, withLayerCompression } from '../spec/media-type.ts';
import { arrayIn, isJsonObject, objectIn, withField } from './json.ts';
import type { EditableImage, ImageEdit } from './rewrite.ts';

/** The layer that takes the place of several. */
export interface FlattenedLayer {
  readonly descriptor: Descriptor;
  readonly diffID: Digest;
}

export interface FlattenEdit {
  /** How many of the lowest layers stay as they are. */
  readonly keepBase: number;
  /** RFC 3339: of the history's entry and of the image; by default the image keeps its date, and the entry has the same. */
  readonly created?: string;
  /** In the history: `oci-tar flatten` by default. */
  readonly createdBy?: string;
}

/**
 * Puts one layer in the place of those above the first `keepBase`. Everything else of config and manifest stays. The history has one
 * entry for the new layer, which says how many it was made of; the steps that made those are gone, and the steps without a layer, which
 * changed the config, stay, so that history and layers still go together (image-spec, config.md, history).
 */
export function flattenEdit({ manifest, raw }: EditableImage, layer: FlattenedLayer, { keepBase, created, createdBy = 'oci-tar flatten' }: FlattenEdit): ImageEdit {
  const merged = manifest.layers.length - keepBase;
  const rootfs = objectIn(raw.config, 'rootfs');
  const diffIDs = [...arrayIn(rootfs, 'diff_ids').slice(0, keepBase), layer.diffID];
  let config: JsonObject = withField(raw.config, 'rootfs', withField(rootfs, 'diff_ids', diffIDs));
  if (created !== undefined) config = withField(config, 'created', created);
  const date = config['created'];
  const step: JsonObject = {
    ...(typeof date === 'string' ? { created: date } : {}),
    created_by: createdBy,
    comment: `${merged} ${merged === 1 ? 'layer' : 'layers'} merged into one`,
  };
  const history = arrayIn(raw.config, 'history');
  // An image that keeps no history, as some tools make them, must not seem to have had this step only.
  if (history.length > 0 || keepBase === 0) config = withField(config, 'history', [...keptSteps(history, keepBase), step]);
  const { mediaType, digest, size } = layer.descriptor;
  return { config, manifest: withField(raw.manifest, 'layers', [...arrayIn(raw.manifest, 'layers').slice(0, keepBase), { mediaType, digest, size }]) };
}

/** The steps of the layers that stay, and those without a layer. */
function keptSteps(history: readonly JsonValue[], keepBase: number): readonly JsonValue[] {
  let layers = 0;
  return history.filter((step) => {
    if (isJsonObject(step) && step['empty_layer'] === true) return true;
    layers += 1;
    return layers <= keepBase;
  });
}

/** The media type of a new layer: docker's where the image is docker's and docker has one. */
export function flattenedType({ manifest, raw }: EditableImage, codec: Codec): string {
  const docker = raw.manifest['mediaType'] === mediaTypes.dockerManifest || manifest.config.mediaType === mediaTypes.dockerConfig;
  return (docker ? withLayerCompression(mediaTypes.dockerLayer, codec.name) : undefined) ?? mediaTypes.layer + codec.suffix;
}
