import { openImage } from '../image/layers.ts';
import type { OpenedImage } from '../image/layers.ts';
import type { ImageStore } from '../image/store.ts';
import type { MergeRules } from '../layer/merge-state.ts';
import type { JsonLimits } from '../spec/limits.ts';
import type { Platform } from '../spec/platform.ts';
import { onlyImage } from './copy.ts';

/** A path that a layer has twice, which the image-spec forbids, is seen as unpacking in order leaves it. */
export const lookRules: MergeRules = { duplicates: 'last' };

/** Which image to look into. */
export interface ImageRequest {
  readonly source: ImageStore;
  /** May be left out where the source has just one. */
  readonly reference?: string;
  /** Which image of an index; may be left out where there is just one. */
  readonly platform?: Platform;
  /** The image itself, where `openImage` has opened it already: then nothing is looked up. */
  readonly image?: OpenedImage;
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

/** NOT_FOUND where there is no such image or platform, CONFLICT where there are several, UNSUPPORTED for what has no layers of files. */
export async function imageOf({ source, image, reference, platform, limits }: ImageRequest): Promise<OpenedImage> {
  if (image !== undefined) return image;
  const { descriptor } = reference === undefined ? await onlyImage(source) : await source.resolve(reference);
  return openImage(source, descriptor, { ...(platform === undefined ? {} : { platform }), ...(limits === undefined ? {} : { limits }) });
}
