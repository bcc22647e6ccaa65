import type { ByteReader } from '../../bytes/reader.ts';
import { isOciTarError } from '../../errors.ts';
import { parseJson } from '../../spec/json.ts';
import type { JsonObject, JsonValue } from '../../spec/json.ts';
import { encodeText } from '../text.ts';
import { decodeBase64 } from './base64.ts';
import { invalidMetadata, overLimit } from './limits.ts';
import type { SplitLimits } from './limits.ts';
import { Lines } from './lines.ts';
import type { Line } from './lines.ts';
import type { PieceReader, SplitPiece } from './piece.ts';

/** Reads upstream's JSON lines, of v0.11 and v0.12 alike, not compressed. INVALID_TAR, INVALID_JSON, LIMIT_EXCEEDED. */
export class UpstreamReader implements PieceReader {
  readonly #lines: Lines;
  readonly #limits: SplitLimits;
  #position = 0;

  constructor(reader: ByteReader, limits: SplitLimits) {
    this.#lines = new Lines(reader, limits.record);
    this.#limits = limits;
  }

  next(): SplitPiece | undefined | Promise<SplitPiece | undefined> {
    for (;;) {
      const line = this.#lines.next();
      if (line instanceof Promise) return this.#late(line);
      if (line === undefined) return undefined;
      const piece = this.#piece(line);
      if (piece !== undefined) return piece;
    }
  }

  async #late(arriving: Promise<Line | undefined>): Promise<SplitPiece | undefined> {
    const line = await arriving;
    return line === undefined ? undefined : (this.#piece(line) ?? this.next());
  }

  /** Undefined for a line without a piece. */
  #piece(line: Line): SplitPiece | undefined {
    if (line.bytes.every(isBlank)) return undefined;
    const limits = this.#limits;
    const position = this.#position;
    if (position >= limits.records) throw overLimit('the metadata have a number of records that is', limits.records, line.offset);
    this.#position += 1;
    return segmentOf(line.bytes, position) ?? fileOf(line.bytes, position, limits) ?? pieceOf(line, position, limits);
  }
}

const segmentStart = encodeText('{"type":2,"payload":"');
const fileStart = encodeText('{"type":1,"name":"');
const sizeStart = encodeText('","size":');
const payloadStart = encodeText(',"payload":"');
const positionStart = encodeText('","position":');
/** Bytes of a CRC-64 in base64. */
const crcText = 12;

// Lines as upstream writes them, which are nearly all, without JSON. Undefined where one is written otherwise.

function segmentOf(line: Uint8Array, position: number): SplitPiece | undefined {
  const start = segmentStart.length;
  if (!has(line, 0, segmentStart)) return undefined;
  const quote = line.indexOf(0x22, start);
  if (quote < 0 || !endsWith(line, quote, position)) return undefined;
  const payload = decodeBase64(line.subarray(start, quote));
  return payload === undefined ? undefined : { kind: 'raw', bytes: payload };
}

/** Of a file with a payload, whose name is ASCII without escapes. */
function fileOf(line: Uint8Array, position: number, limits: SplitLimits): SplitPiece | undefined {
  if (!has(line, 0, fileStart)) return undefined;
  const start = fileStart.length;
  let quote = start;
  for (let byte = line[quote]; byte !== 0x22; byte = line[++quote]) if (byte === undefined || byte < 0x20 || byte === 0x5c || byte >= 0x80) return undefined;
  if (!has(line, quote, sizeStart)) return undefined;
  let at = quote + sizeStart.length;
  // Up to 15 digits are a safe integer. Size 0 and its like are for the parser.
  let size = 0;
  for (const most = at + 15; at < most && isDigit(line[at]); at++) size = size * 10 + (line[at] ?? 0) - 0x30;
  if (line[quote + sizeStart.length] === 0x30 || size === 0 || !has(line, at, payloadStart)) return undefined;
  const payload = at + payloadStart.length;
  if (quote - start > limits.name || !endsWith(line, payload + crcText, position)) return undefined;
  const crc = decodeBase64(line.subarray(payload, payload + crcText));
  return crc?.length === 8 ? { kind: 'payload', key: { name: line.slice(start, quote), size }, crc } : undefined;
}

function has(line: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (line[at + i] !== text[i]) return false;
  return true;
}

/** Whether all that follows is this position. */
function endsWith(line: Uint8Array, at: number, position: number): boolean {
  if (line.at(-1) !== 0x7d || !has(line, at, positionStart)) return false;
  let left = position;
  let end = line.length - 2;
  for (; left >= 10; left = Math.floor(left / 10)) if (line[end--] !== 0x30 + (left % 10)) return false;
  return line[end] === 0x30 + left && end === at + positionStart.length;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
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
