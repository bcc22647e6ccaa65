import { OciTarError } from '../errors.ts';
import { JsonParser } from './json-parser.ts';
import { defaultLimits } from './limits.ts';
import type { JsonLimits } from './limits.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export interface JsonOptions {
  /** `defaultLimits` where left out. */
  readonly limits?: JsonLimits;
  /** What the document is called in messages: a path, a digest. */
  readonly subject?: string;
}

/**
 * Parses JSON from outside as I-JSON (RFC 7493): UTF-8 without a byte order mark, no key twice in one object, no unpaired
 * surrogates, numbers within ±(2^53 - 1). A key `__proto__` becomes a plain property.
 * INVALID_JSON with the byte offset, LIMIT_EXCEEDED where the document is longer or deeper than the limits.
 */
export function parseJson(bytes: Uint8Array, options: JsonOptions = {}): JsonValue {
  const { limits = defaultLimits, subject } = options;
  const named = subject === undefined ? {} : { subject };
  if (bytes.length > limits.bytes) {
    throw new OciTarError('LIMIT_EXCEEDED', `${subject ?? 'JSON'} is ${bytes.length} bytes long, more than the limit of ${limits.bytes}`, {
      ...named,
      limit: limits.bytes,
      actual: bytes.length,
    });
  }
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new OciTarError('INVALID_JSON', `${subject ?? 'JSON'} starts with a byte order mark`, { ...named, offset: 0 });
  }
  return new JsonParser(decode(bytes, named), limits, subject).document();
}

/** JSON without spaces, keys in the order of the value, in UTF-8. INVALID_ARGUMENT for what JSON cannot say. */
export function stringifyJson(value: unknown): Uint8Array {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new OciTarError('INVALID_ARGUMENT', `JSON has no form for ${typeof value}`);
  return new TextEncoder().encode(text);
}

/** JSON without spaces and with keys sorted by their UTF-16 units: RFC 8785, so that equal values give equal bytes. */
export function stableJson(value: unknown): Uint8Array {
  const text = stable(value);
  if (text === undefined) throw new OciTarError('INVALID_ARGUMENT', `JSON has no form for ${typeof value}`);
  return new TextEncoder().encode(text);
}

function stable(value: unknown): string | undefined {
  if (Array.isArray(value)) return `[${value.map((item) => stable(item) ?? 'null').join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    // The default order of strings is that of their UTF-16 units. An object of sorted keys would put "10" after "9".
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => [key, stable(member)] as const)
    .filter(([, text]) => text !== undefined);
  return `{${members.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`;
}

function decode(bytes: Uint8Array, named: { readonly subject?: string }): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    const offset = firstInvalid(bytes);
    throw new OciTarError('INVALID_JSON', `${named.subject ?? 'JSON'} is not UTF-8 at byte ${offset}`, { ...named, offset, cause });
  }
}

/** Offset of the first byte that cannot follow those before it; the decoder itself does not tell. */
function firstInvalid(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, middle), { stream: true });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  return good;
}
