import { OciTarError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';
import { parseIndex } from './image-index.ts';
import type { ImageIndex } from './image-index.ts';
import type { JsonOptions } from './json.ts';
import { parseManifest } from './manifest.ts';
import type { Manifest } from './manifest.ts';
import { isIndexType, isManifestType, isSchema1Type } from './media-type.ts';

/** A document that refers to further content. */
export type Document =
  | { readonly kind: 'index'; readonly index: ImageIndex }
  | { readonly kind: 'manifest'; readonly manifest: Manifest };

/** Whether content of this type is an index or a manifest, which `parseDocument` reads. UNSUPPORTED for docker's schema 1. */
export function isDocumentType(mediaType: string): boolean {
  if (isSchema1Type(mediaType)) {
    throw new OciTarError('UNSUPPORTED', `${mediaType} is docker's schema 1, which is not read here`, {
      hint: 'Push the image again with a current docker, which writes schema 2.',
    });
  }
  return isIndexType(mediaType) || isManifestType(mediaType);
}

/**
 * Parses an index or a manifest as its descriptor or media type says; undefined for any other type, whose bytes are not looked at.
 * Errors as `parseIndex` and `parseManifest`.
 */
export function parseDocument(bytes: Uint8Array, of: Descriptor | string, options: JsonOptions = {}): Document | undefined {
  const mediaType = typeof of === 'string' ? of : of.mediaType;
  const subject = options.subject ?? (typeof of === 'string' ? undefined : of.digest);
  if (!isDocumentType(mediaType)) return undefined;
  const named = { ...options, mediaType, ...(subject === undefined ? {} : { subject }) };
  return isIndexType(mediaType)
    ? { kind: 'index', index: parseIndex(bytes, named) }
    : { kind: 'manifest', manifest: parseManifest(bytes, named) };
}

/** What a document refers to, in its order: an index's manifests; a manifest's config and layers. The subject is not among them. */
export function childrenOf(document: Document): readonly Descriptor[] {
  return document.kind === 'index' ? document.index.manifests : [document.manifest.config, ...document.manifest.layers];
}
