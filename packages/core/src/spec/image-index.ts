import * as v from 'valibot';
import type { Annotations } from './annotation.ts';
import { descriptorSchema } from './descriptor.ts';
import type { Descriptor } from './descriptor.ts';
import { isIndexType } from './media-type.ts';
import { check, checkKind, looseFields, parseObject, text, textMap } from './schema.ts';
import type { DocumentKind, DocumentOptions } from './schema.ts';

/** A list of manifests, mostly one a platform: OCI's image index or docker's manifest list. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  /** Manifests, nested indexes or anything else. */
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Annotations;
}

const kind: DocumentKind = { name: 'an index', is: isIndexType, foreignFields: ['config', 'layers', 'fslayers', 'history'] };

export const indexSchema: v.GenericSchema<unknown, ImageIndex> = looseFields({
  schemaVersion: v.literal(2, 'must be 2'),
  mediaType: v.exactOptional(text),
  artifactType: v.exactOptional(text),
  manifests: v.array(descriptorSchema, 'must be an array'),
  subject: v.exactOptional(descriptorSchema),
  annotations: v.exactOptional(textMap),
});

/**
 * Parses an index (image-spec, image-index.md). Unknown fields survive; unknown media types of its children are no error.
 * INVALID_JSON, LIMIT_EXCEEDED; INVALID_MANIFEST where it is not a sound index, or could be taken for a manifest as well;
 * UNSUPPORTED for docker's schema 1.
 */
export function parseIndex(bytes: Uint8Array, options: DocumentOptions = {}): ImageIndex {
  const where = options.subject ?? 'the index';
  const document = parseObject(bytes, options, where);
  checkKind(document, kind, options.mediaType, where);
  return check(indexSchema, document, where);
}
