import * as v from 'valibot';
import { OciTarError } from '../errors.ts';
import type { Annotations } from './annotation.ts';
import { digestProblem, isDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { jsonPath } from './json-path.ts';
import { parseJson } from './json.ts';
import type { JsonObject, JsonOptions } from './json.ts';
import { isSchema1Type } from './media-type.ts';

/** How a document is read whose media type may be known from a descriptor. */
export interface DocumentOptions extends JsonOptions {
  /** What the document is expected to be. INVALID_MANIFEST where it says something else of itself. */
  readonly mediaType?: string;
}

/** An object with these fields and any others, which survive. For the optional fields null counts as absent, as in Go's readers. */
export function looseFields<const E extends v.ObjectEntries>(entries: E) {
  const optional = new Set(Object.keys(entries).filter((key) => entries[key]?.type === 'exact_optional'));
  return v.pipe(
    v.custom<object>(isObject, 'must be an object'),
    v.transform((value) => withoutNulls(value, optional)),
    v.looseObject(entries),
  );
}

export const text = v.string('must be a string');

export const texts = v.array(text, 'must be an array');

export const flag = v.boolean('must be true or false');

/** A record by its own check: the one of valibot drops keys such as `constructor`. */
export const textMap = v.custom<Annotations>(
  (value) => isObject(value) && Object.values(value).every((member) => typeof member === 'string'),
  'must be an object of strings',
);

export const digest = v.pipe(
  v.custom<Digest>(isDigest, (issue) =>
    typeof issue.input === 'string' ? `is not a digest: ${digestProblem(issue.input)}` : 'must be a digest',
  ),
  v.transform(detached),
);

/** A size or count in bytes: 0 to 2^53 - 1. */
export const size = v.custom<number>(
  (value) => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
  'must be a whole number from 0 to 2^53 - 1',
);

/** Checks a value against a schema. INVALID_MANIFEST with the path of the first field that does not fit. */
export function check<T>(schema: v.GenericSchema<unknown, T>, value: unknown, where: string): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
  const problem = issue.kind === 'schema' && issue.input === undefined ? 'is missing' : issue.message;
  throw new OciTarError('INVALID_MANIFEST', `${where}: ${jsonPath(path)} ${problem}`, { subject: where });
}

/** The document's outer object. INVALID_JSON, LIMIT_EXCEEDED; INVALID_MANIFEST where it is not an object. */
export function parseObject(bytes: Uint8Array, options: JsonOptions, where: string): JsonObject {
  const value = parseJson(bytes, options);
  if (!isObject(value)) throw new OciTarError('INVALID_MANIFEST', `${where} is not a JSON object`, { subject: where });
  return value;
}

/** What an index or a manifest may say of itself. */
export interface DocumentKind {
  readonly name: string;
  readonly is: (mediaType: string) => boolean;
  /** Fields that only a document of the other kind has. */
  readonly foreignFields: readonly string[];
}

/** Refuses documents that another reader could take for something else (CVE-2021-41190), and docker's schema 1. */
export function checkKind(document: JsonObject, kind: DocumentKind, expected: string | undefined, where: string): void {
  const { schemaVersion, mediaType } = document;
  if (schemaVersion === 1 || (typeof mediaType === 'string' && isSchema1Type(mediaType)) || isSchema1Type(expected ?? '')) {
    throw new OciTarError('UNSUPPORTED', `${where} is a docker image manifest of schema 1`, {
      subject: where,
      hint: 'Push the image again with a current docker, which writes schema 2.',
    });
  }
  if (expected !== undefined && !kind.is(expected)) {
    throw new OciTarError('INVALID_MANIFEST', `${where} is expected to be ${expected}, which is not ${kind.name}`, { subject: where, expected });
  }
  if (typeof mediaType === 'string' && mediaType !== (expected ?? mediaType)) {
    throw new OciTarError('INVALID_MANIFEST', `${where} calls itself ${mediaType} and not ${expected} as expected`, {
      subject: where,
      ...(expected === undefined ? {} : { expected }),
      actual: mediaType,
    });
  }
  if (typeof mediaType === 'string' && !kind.is(mediaType)) {
    throw new OciTarError('INVALID_MANIFEST', `${where} calls itself ${mediaType}, which is not ${kind.name}`, { subject: where, actual: mediaType });
  }
  // Go's readers take a field for its name in any case of its letters.
  const ambiguous = Object.keys(document).find((key) => kind.foreignFields.includes(key.toLowerCase()));
  if (ambiguous !== undefined) {
    throw new OciTarError('INVALID_MANIFEST', `${where} is ambiguous: ${kind.name} with the field ${JSON.stringify(ambiguous)}`, { subject: where });
  }
}

function isObject<T>(value: T): value is Exclude<T & object, readonly unknown[]> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutNulls(value: object, optional: ReadonlySet<string>): object {
  const entries = Object.entries(value);
  const kept = entries.filter(([key, member]) => member !== null || !optional.has(key));
  return kept.length === entries.length ? value : Object.fromEntries(kept);
}

/** The same digest in memory of its own: as a part of a document's text it would keep that text, once for each of 100,000 blobs. */
function detached(digest: Digest): Digest {
  const colon = digest.indexOf(':');
  return `${digest.slice(0, colon)}:${digest.slice(colon + 1)}`;
}
