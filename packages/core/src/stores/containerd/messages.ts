import * as v from 'valibot';
import { digest, size, text, textMap, texts } from '../../spec/schema.ts';

/** What the calls answer, as far as it is looked at. Sizes and offsets are bytes. */
export const nothing = v.looseObject({});

const info = v.looseObject({ digest, size, labels: textMap });
export type BlobInfo = v.InferOutput<typeof info>;

export const infoAnswer = v.looseObject({ info });
/** A page of a list; a blob of a digest that is none is left out by whoever reads it. */
export const infosAnswer = v.looseObject({ info: v.array(v.looseObject({ digest: text, size })) });
export const bytesAnswer = v.looseObject({ offset: size, data: v.instance(Uint8Array) });
export const uploadAnswer = v.looseObject({ status: v.looseObject({ offset: size }) });
export const writeAnswer = v.looseObject({ offset: size, digest: text });

const image = v.looseObject({
  name: text,
  labels: textMap,
  target: v.looseObject({ mediaType: text, digest, size, annotations: textMap }),
});
export type ImageRecord = v.InferOutput<typeof image>;

export const imageAnswer = v.looseObject({ image });
export const imagesAnswer = v.looseObject({ images: v.array(image) });

export const namespacesAnswer = v.looseObject({ namespaces: v.array(v.looseObject({ name: text })) });
export const versionAnswer = v.looseObject({ version: text, revision: text });

const mount = v.looseObject({ type: text, source: text, target: text, options: texts });
export type Mount = v.InferOutput<typeof mount>;
export const mountsAnswer = v.looseObject({ mounts: v.array(mount) });
export const appliedAnswer = v.looseObject({ applied: v.looseObject({ digest, size }) });
