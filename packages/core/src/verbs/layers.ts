import { counted } from '../bytes/stream.ts';
import type { ImageLayer, OpenedImage } from '../image/layers.ts';
import { readTree } from '../layer/read-tree.ts';
import type { LayerEffect } from '../layer/tree.ts';
import { imageOf, lookRules } from './image-request.ts';
import type { ImageRequest } from './image-request.ts';

export interface DescribeLayersRequest extends ImageRequest {
  /** Reads no layer: only what manifest and config say. */
  readonly quick?: boolean;
}

export interface LayerDescription {
  readonly layer: ImageLayer;
  /** Bytes of the plain tar, and what the layer does to the tree; absent where no layer is read. */
  readonly size?: number;
  readonly effect?: LayerEffect;
}

export interface LayersReport {
  readonly image: OpenedImage;
  /** The base first. */
  readonly layers: readonly LayerDescription[];
}

/** What the layers of an image are and what each adds, hides and takes away; all of them are read and verified, unless it is to be quick. */
export async function describeLayers(request: DescribeLayersRequest): Promise<LayersReport> {
  const image = await imageOf(request);
  if (request.quick === true) return { image, layers: image.layers.map((layer) => ({ layer })) };
  const sizes = image.layers.map(() => 0);
  const inputs = image.layers.map((layer, position) => ({
    read: () => counted(layer.read(), (count) => (sizes[position] = (sizes[position] ?? 0) + count)),
    isPlain: true,
  }));
  const { layers: effects } = await readTree(inputs.toReversed(), { ...lookRules, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  const bottomUp = effects.toReversed();
  return {
    image,
    layers: image.layers.map((layer, position) => {
      const effect = bottomUp[position];
      return { layer, size: sizes[position] ?? 0, ...(effect === undefined ? {} : { effect }) };
    }),
  };
}
