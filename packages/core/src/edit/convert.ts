import { OciTarError } from '../errors.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { JsonObject, JsonValue } from '../spec/json.ts';
import { arrayIn, isJsonObject, objectIn, withField } from './json.ts';
import type { EditableImage, ImageEdit } from './rewrite.ts';

/** What became of a layer. */
export interface ConvertedLayer {
  /** With the annotations that belong to the new form. */
  readonly descriptor: Descriptor;
  readonly diffID: Digest;
}

/** Annotations that say how a layer can be read in pieces; of a layer that is written anew they are no longer true. */
const seekableAnnotation = /^(?:containerd\.io\/snapshot\/stargz\/|io\.containers\.(?:estargz|zstd-chunked)\.|io\.github\.containers\.zstd-chunked\.)/;

/**
 * Puts other forms of its layers into an image: descriptors in the manifest, diffIDs in the config. What a layer was and is stays in the
 * history. Undefined stands for a layer that stays as it is.
 */
export function convertEdit({ descriptor, manifest, raw }: EditableImage, layers: readonly (ConvertedLayer | undefined)[]): ImageEdit {
  if (layers.every((layer) => layer === undefined)) return {};
  const rootfs = objectIn(raw.config, 'rootfs');
  const diffIDs = arrayIn(rootfs, 'diff_ids');
  if (diffIDs.length !== manifest.layers.length) throw new OciTarError('INVALID_MANIFEST', `manifest ${descriptor.digest} has ${manifest.layers.length} layers, its config ${diffIDs.length} diffIDs`, { subject: descriptor.digest });
  const newIDs = diffIDs.map((diffID, position) => layers[position]?.diffID ?? diffID);
  const listed = arrayIn(raw.manifest, 'layers').map((entry, position) => entryOf(entry, layers[position]));
  return {
    manifest: withField(raw.manifest, 'layers', listed),
    ...(newIDs.every((diffID, position) => diffID === diffIDs[position]) ? {} : { config: withField(raw.config, 'rootfs', withField(rootfs, 'diff_ids', newIDs)) }),
  };
}

function entryOf(entry: JsonValue, layer: ConvertedLayer | undefined): JsonValue {
  if (layer === undefined || !isJsonObject(entry)) return entry;
  const { mediaType, digest, size, annotations = {} } = layer.descriptor;
  const kept = Object.entries(objectIn(entry, 'annotations')).filter(([key]) => !seekableAnnotation.test(key));
  const all: JsonObject = { ...Object.fromEntries(kept), ...annotations };
  // What is embedded, or fetched from elsewhere, are the old bytes.
  const { data: _data, urls: _urls, annotations: _annotations, ...others } = entry;
  return { ...others, mediaType, digest, size, ...(Object.keys(all).length === 0 ? {} : { annotations: all }) };
}
