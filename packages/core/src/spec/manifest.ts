import * as v from 'valibot';
import type { Annotations } from './annotation.ts';
import { descriptorSchema } from './descriptor.ts';
import type { Descriptor } from './descriptor.ts';
import { isManifestType } from './media-type.ts';
import { check, checkKind, looseFields, parseObject, text, textMap } from './schema.ts';
import type { DocumentKind, DocumentOptions } from './schema.ts';

/** One image or artifact: OCI's image manifest or docker's of schema 2. */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  /** What an artifact is; an image has none. */
  readonly artifactType?: string;
  readonly config: Descriptor;
  /** The base layer first. An artifact may have none. */
  readonly layers: readonly Descriptor[];
  /** The manifest that this one says something about. It may be absent. */
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

const kind: DocumentKind = { name: 'a manifest', is: isManifestType, foreignFields: ['manifests', 'fslayers'] };

export const manifestSchema: v.GenericSchema<unknown, Manifest> = looseFields({
  schemaVersion: v.literal(2, 'must be 2'),
  mediaType: v.exactOptional(text),
  artifactType: v.exactOptional(text),
  config: descriptorSchema,
  layers: v.array(descriptorSchema, 'must be an array'),
  subject: v.exactOptional(descriptorSchema),
  annotations: v.exactOptional(textMap),
});

/**
 * Parses a manifest (image-spec, manifest.md). Unknown fields survive.
 * INVALID_JSON, LIMIT_EXCEEDED; INVALID_MANIFEST where it is not a sound manifest, or could be taken for an index as well;
 * UNSUPPORTED for docker's schema 1.
 */
export function parseManifest(bytes: Uint8Array, options: DocumentOptions = {}): Manifest {
  const where = options.subject ?? 'the manifest';
  const document = parseObject(bytes, options, where);
  checkKind(document, kind, options.mediaType, where);
  return check(manifestSchema, document, where);
}
