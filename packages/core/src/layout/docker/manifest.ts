import * as v from 'valibot';
import { OciTarError } from '../../errors.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { descriptorSchema } from '../../spec/descriptor.ts';
import { parseJson } from '../../spec/json.ts';
import type { JsonOptions } from '../../spec/json.ts';
import { check, looseFields, text, texts } from '../../spec/schema.ts';

/** One image of a docker archive. */
export interface DockerItem {
  /** Path of the image's config in the archive. */
  readonly Config: string;
  readonly RepoTags: readonly string[];
  /** Paths of the layers, the base first. */
  readonly Layers: readonly string[];
  /** By diffID, what a layer was where it came from; of interest where the layer itself is not in the archive. */
  readonly LayerSources: Readonly<Record<string, Descriptor>>;
}

/** Go writes an empty list as null. */
const list = v.pipe(
  v.nullable(texts),
  v.transform((texts) => texts ?? []),
);

const sources = v.pipe(
  v.custom<Readonly<Record<string, unknown>>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be an object'),
  // An entry that is no descriptor helps nobody, and harms nobody.
  v.transform((record): Readonly<Record<string, Descriptor>> =>
    Object.fromEntries(
      Object.entries(record).flatMap(([diffID, value]) => {
        const parsed = v.safeParse(descriptorSchema, value);
        return parsed.success ? [[diffID, parsed.output]] : [];
      }),
    ),
  ),
);

const itemsSchema: v.GenericSchema<unknown, readonly DockerItem[]> = v.array(
  v.pipe(
    looseFields({ Config: text, RepoTags: v.exactOptional(texts), Layers: list, LayerSources: v.exactOptional(sources) }),
    v.transform(({ Config, Layers, RepoTags = [], LayerSources = {} }) => ({ Config, RepoTags, Layers, LayerSources })),
  ),
  'must be an array',
);

/**
 * Parses docker's `manifest.json`: an array of images, each with `Config`, `RepoTags` (perhaps null) and `Layers`.
 * INVALID_JSON, LIMIT_EXCEEDED; INVALID_MANIFEST where it is something else.
 */
export function parseDockerManifest(bytes: Uint8Array, options: JsonOptions = {}): readonly DockerItem[] {
  const where = options.subject ?? 'manifest.json';
  const value = parseJson(bytes, options);
  if (typeof value === 'object' && value !== null && 'schemaVersion' in value) {
    throw new OciTarError('INVALID_MANIFEST', `${where} is the manifest of one image, not docker's list of images`, {
      subject: where,
      hint: 'It looks like a directory that skopeo wrote (dir:). Copy that with skopeo to oci-archive: first.',
    });
  }
  return check(itemsSchema, value, where);
}
