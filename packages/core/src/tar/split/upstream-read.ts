import type { ByteReader } from '../../bytes/reader.ts';
import { isOciTarError } from '../../errors.ts';
import { parseJson } from '../../spec/json.ts';
import type { JsonObject, JsonValue } from '../../spec/json.ts';
import { decodeText, encodeText } from '../text.ts';
import { decodeBase64 } from './base64.ts';
import { invalidMetadata, overLimit } from './limits.ts';
import type { SplitLimits } from './limits.ts';
import { linesOf } from './lines.ts';
import type { Line } from './lines.ts';
import type { SplitPiece } from './piece.ts';

/** Reads upstream's JSON lines, of v0.11 and v0.12 alike, not compressed. INVALID_TAR, INVALID_JSON, LIMIT_EXCEEDED. */
export async function* readUpstream(reader: ByteReader, limits: SplitLimits): AsyncGenerator<SplitPiece, void, void> {
  let position = 0;
  for await (const line of linesOf(reader, limits.record)) {
    if (line.bytes.every(isBlank)) continue;
    if (position >= limits.records) throw overLimit('the metadata have a number of records that is', limits.records, line.offset);
    const piece = segmentOf(line, position) ?? pieceOf(line, position, limits);
    position += 1;
    if (piece !== undefined) yield piece;
  }
}

const segmentStart = encodeText('{"type":2,"payload":"');

/** A segment as upstream writes it, which is nearly all of the bytes, without JSON; undefined where it is written otherwise. */
function segmentOf({ bytes }: Line, position: number): SplitPiece | undefined {
  for (let i = 0; i < segmentStart.length; i++) if (bytes[i] !== segmentStart[i]) return undefined;
  const quote = bytes.indexOf(0x22, segmentStart.length);
  if (quote < 0 || bytes.length - quote > 40 || decodeText(bytes.subarray(quote)) !== `","position":${position}}`) return undefined;
  const payload = decodeBase64(bytes.subarray(segmentStart.length, quote));
  return payload === undefined ? undefined : { kind: 'raw', bytes: payload };
}

/** Any line; undefined for an entry without a payload. */
function pieceOf(line: Line, expected: number, limits: SplitLimits): SplitPiece | undefined {
  const { offset } = line;
  const { type, name, name_raw: nameRaw, size = 0, payload, position } = parsed(line, limits);
  if (position !== expected) throw invalidMetadata(`position ${shown(position)} where ${expected} is due: lines are missing or doubled`, offset);
  const bytes = payload === null ? new Uint8Array(0) : base64(payload, 'payload', offset);
  if (type === 2) return { kind: 'raw', bytes };
  if (type !== 1) throw invalidMetadata(`${shown(type)} is no type of entry`, offset);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalidMetadata(`${shown(size)} is no size`, offset);
  const named = nameRaw === undefined ? encodeText(text(name, offset)) : base64(nameRaw, 'name_raw', offset);
  if (named.length > limits.name) throw overLimit('a name has a number of bytes that is', limits.name, offset);
  if (size === 0) return undefined;
  if (bytes.length !== 8) throw invalidMetadata('the checksum of a file is not 8 bytes', offset);
  return { kind: 'payload', key: { name: named, size }, crc: bytes };
}

function parsed({ bytes, offset }: Line, limits: SplitLimits): JsonObject {
  let value: JsonValue;
  try {
    value = parseJson(bytes, { limits: { bytes: limits.record, depth: 2 }, subject: 'tar-split metadata' });
  } catch (error) {
    throw isOciTarError(error, 'INVALID_JSON') ? invalidMetadata(error.message, offset) : error;
  }
  if (isObject(value)) return value;
  throw invalidMetadata('a line is no JSON object', offset);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function base64(value: JsonValue | undefined, what: string, offset: number): Uint8Array {
  const bytes = typeof value === 'string' ? decodeBase64(encodeText(value)) : undefined;
  if (bytes === undefined) throw invalidMetadata(`a ${what} is not base64`, offset);
  return bytes;
}

function text(value: JsonValue | undefined, offset: number): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  throw invalidMetadata('a name is not text', offset);
}

function shown(value: JsonValue | undefined): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 40);
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0d || byte === 0x09;
}
