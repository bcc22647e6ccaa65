import type { Digest } from '../../packages/core/src/spec/digest.ts';
import { mediaTypes } from '../../packages/core/src/spec/media-type.ts';
import { digestA, digestB } from './support.ts';

export const blob = (mediaType: string, digest: Digest = digestA) => ({ mediaType, digest, size: 10 });
export const config = blob(mediaTypes.config, digestB);
export const layer = blob(mediaTypes.layerGzip);
export const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [blob(mediaTypes.manifest), blob(mediaTypes.index), blob('text/plain')] };
export const manifest = { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [layer, layer] };
