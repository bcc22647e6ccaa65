import { OciTarError } from '../errors.ts';
import type { JsonObject, JsonOptions, JsonValue } from '../spec/json.ts';
import { parseJson } from '../spec/json.ts';

/** The object in a field of a document that is edited; an empty one where the field is absent or null. INVALID_MANIFEST where it is anything else. */
export function objectIn(document: JsonObject, field: string): JsonObject {
  const value = fieldOf(document, field);
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw wrong(field, 'an object');
  return value;
}

/** The array in a field; an empty one where the field is absent or null. INVALID_MANIFEST where it is anything else. */
export function arrayIn(document: JsonObject, field: string): readonly JsonValue[] {
  const value = fieldOf(document, field);
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(field, 'an array');
  return value;
}

/** The document with a field set, in its place where it has one; `undefined` takes the field away. */
export function withField(document: JsonObject, field: string, value: JsonValue | undefined): JsonObject {
  if (value !== undefined) return { ...document, [field]: value };
  return Object.fromEntries(Object.entries(document).filter(([key]) => key !== field));
}

/** A document from outside, to be edited as it is: what is not known here stays. INVALID_JSON, LIMIT_EXCEEDED, INVALID_MANIFEST. */
export function parseRaw(bytes: Uint8Array, options: JsonOptions): JsonObject {
  const value = parseJson(bytes, options);
  if (isJsonObject(value)) return value;
  throw new OciTarError('INVALID_MANIFEST', `${options.subject ?? 'the document'} is not a JSON object`);
}

export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldOf(document: JsonObject, field: string): JsonValue | undefined {
  return Object.hasOwn(document, field) ? document[field] : undefined;
}

function wrong(field: string, what: string): OciTarError {
  return new OciTarError('INVALID_MANIFEST', `${field} is not ${what}`);
}
