import { parseJson } from '../spec/json.ts';
import type { JsonObject, JsonValue } from '../spec/json.ts';
import { decodeBase64 } from './base64.ts';
import { invalidToc } from './failures.ts';
import { defaultTocLimit } from './format.ts';
import type { Toc, TocEntry, TocEntryType } from './toc.ts';

/** The document, its entries, an entry, its extended attributes; and what unknown fields may have. */
const deepest = 16;

const numberFields = ['size', 'mode', 'uid', 'gid', 'offset', 'innerOffset', 'devMajor', 'devMinor', 'chunkOffset', 'chunkSize', 'endOffset'] as const;
const textFields = ['modtime', 'linkName', 'userName', 'groupName', 'digest', 'chunkDigest', 'chunkType', 'accesstime', 'changetime'] as const;
const numbers: ReadonlySet<string> = new Set(numberFields);
const texts: ReadonlySet<string> = new Set(textFields);
const allFields: readonly string[] = ['name', 'type', 'xattrs', ...numberFields, ...textFields];
const documentFields: readonly string[] = ['version', 'entries', 'tarSplitDigest'];
const lowerCaseFields = new Set(allFields.map(folded));

/** An entry while it is put together. */
type Draft = { -readonly [Key in keyof TocEntry]: TocEntry[Key] };

const types: ReadonlySet<string> = new Set<TocEntryType>(['dir', 'reg', 'symlink', 'hardlink', 'char', 'block', 'fifo', 'chunk']);

/**
 * Reads a TOC's JSON so that no other reader can take it for something else: keys twice or in other cases of their letters, numbers
 * that are negative, broken or 2^53 and more, and anything after the document are refused (INVALID_JSON, INVALID_TOC).
 * LIMIT_EXCEEDED for more than `limit` bytes, 150 MiB by default. Unknown fields are passed over. What the entries mean
 * together is not looked at.
 */
export function parseToc(bytes: Uint8Array, options: { readonly limit?: number } = {}): Toc {
  const limits = { bytes: options.limit ?? defaultTocLimit, depth: deepest };
  const document = parseJson(bytes, { limits, subject: 'the TOC' });
  if (!isObject(document)) throw invalidToc('is not a JSON object');
  for (const key of Object.keys(document)) {
    const lower = folded(key);
    if (!documentFields.includes(key) && documentFields.some((field) => folded(field) === lower)) throw wrongCase(key, lower);
  }
  const { version, entries, tarSplitDigest } = document;
  if (version !== 1) throw invalidToc(`is of version ${JSON.stringify(version)}, not 1`);
  // Go writes no entries at all as null.
  const list = entries === null ? [] : entries;
  if (!isArray(list)) throw invalidToc('has no list of entries');
  if (tarSplitDigest !== undefined && typeof tarSplitDigest !== 'string') throw invalidToc('has a tarSplitDigest that is not a string');
  return { version, entries: list.map(entryOf), ...(tarSplitDigest === undefined || tarSplitDigest === '' ? {} : { tarSplitDigest }) };
}

function entryOf(value: JsonValue, index: number): TocEntry {
  if (!isObject(value)) throw invalidToc(`has an entry (number ${index}) that is no object`);
  const { name, type } = value;
  if (typeof name !== 'string') throw invalidToc(`has an entry (number ${index}) without a name`);
  if (typeof type !== 'string' || !isType(type)) throw invalidToc(`is of the unknown type ${JSON.stringify(type)}`, name);
  if (isEntry(value)) return value;
  const entry: Draft = { name, type };
  for (const key in value) {
    const member = value[key];
    if (isNumberField(key)) {
      if (!isCount(member)) {
        throw invalidToc(`has the ${key} ${JSON.stringify(member)}, which is not a whole number from 0 to 2^53-1`, name);
      }
      entry[key] = member;
    } else if (isTextField(key)) {
      if (typeof member !== 'string') throw invalidToc(`has a ${key} that is not a string`, name);
      entry[key] = member;
    } else if (key === 'xattrs') {
      entry.xattrs = xattrsOf(member, name);
    } else if (key !== 'name' && key !== 'type') {
      const lower = folded(key);
      if (lowerCaseFields.has(lower)) throw wrongCase(key, lower, name);
    }
  }
  return entry;
}

/** As Go compares keys: the long s (U+017F) and the Kelvin sign (U+212A) are letters of other cases, too. */
function folded(key: string): string {
  return key.toUpperCase().toLowerCase();
}

/** All that is in it is as it should be, so that it need not be made anew. Extended attributes have to be. */
function isEntry(value: JsonObject): value is JsonObject & TocEntry {
  for (const key in value) {
    const member = value[key];
    if (numbers.has(key)) {
      if (!isCount(member)) return false;
    } else if (typeof member !== 'string' || !(texts.has(key) || key === 'name' || key === 'type')) {
      return false;
    }
  }
  return true;
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isNumberField(key: string): key is (typeof numberFields)[number] {
  return numbers.has(key);
}

function isTextField(key: string): key is (typeof textFields)[number] {
  return texts.has(key);
}

function xattrsOf(value: JsonValue | undefined, name: string): ReadonlyMap<string, Uint8Array> {
  if (!isObject(value)) throw invalidToc('has extended attributes that are no object', name);
  return new Map(
    Object.entries(value).map(([key, text]) => {
      const bytes = typeof text === 'string' ? decodeBase64(text) : undefined;
      if (bytes === undefined) throw invalidToc(`has the extended attribute ${JSON.stringify(key)} not in base64`, name);
      return [key, bytes];
    }),
  );
}

function wrongCase(key: string, lower: string, name?: string): Error {
  const right = [...allFields, ...documentFields].find((field) => folded(field) === lower);
  return invalidToc(`has the key ${JSON.stringify(key)}, which some readers take for ${JSON.stringify(right)} and others do not`, name);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isArray(value);
}

function isArray(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isType(type: string): type is TocEntryType {
  return types.has(type);
}
