import type { JsonObject, JsonValue } from '../spec/json.ts';
import { dockerTypeOf, ociTypeOf } from '../spec/media-type.ts';
import { isJsonObject, withField } from './json.ts';

/** Whose names the formats of an image go by. */
export type TypeFamily = 'oci' | 'docker';

/** What a family calls a format; the same where it has no name of its own. */
export function typeIn(family: TypeFamily, mediaType: string): string {
  return family === 'oci' ? ociTypeOf(mediaType) : dockerTypeOf(mediaType);
}

/** Whether a manifest or index, or anything in its lists, has annotations. */
export function hasAnnotations(document: JsonObject): boolean {
  const parts = [document, ...['config', 'layers', 'manifests'].flatMap((key) => document[key] ?? [])];
  return parts.some((part) => isJsonObject(part) && isJsonObject(part['annotations'] ?? null) && Object.keys(part['annotations'] ?? {}).length > 0);
}

/** A manifest or index under the names of a family, with what it refers to. In docker's there are no annotations. */
export function retyped(document: JsonObject, mediaType: string, family: TypeFamily): JsonObject {
  const listed = (value: JsonValue): JsonValue => (Array.isArray(value) ? value.map(entry) : entry(value));
  const entry = (value: JsonValue): JsonValue => {
    if (!isJsonObject(value)) return value;
    const type = value['mediaType'];
    return plain(typeof type === 'string' ? withField(value, 'mediaType', typeIn(family, type)) : value);
  };
  const plain = (value: JsonObject): JsonObject => (family === 'docker' ? withField(value, 'annotations', undefined) : value);
  const fields = Object.entries(document).map(([key, value]) => [key, key === 'config' || key === 'layers' || key === 'manifests' ? listed(value) : value] as const);
  const { schemaVersion = 2, ...others } = plain(Object.fromEntries(fields));
  return { schemaVersion, mediaType, ...withField(others, 'mediaType', undefined) };
}
