import type { ByteReader } from '../../bytes/reader.ts';
import { OciTarError } from '../../errors.ts';
import { formatDigest } from '../../spec/digest.ts';
import { decodeText } from '../text.ts';
import { invalidMetadata, overLimit } from './limits.ts';
import type { SplitLimits } from './limits.ts';
import { magic, rawRecord, recordKinds } from './own-write.ts';
import type { PieceReader, SplitPiece } from './piece.ts';

/** A kind, the longest number and a digest. */
const longestHead = 1 + 8 + 32;

/** The magic without its version. */
const name = 'oci-tar tar-split ';

/** Whether metadata that start so are in our own format, of whatever version. */
export function isOwn(head: Uint8Array): boolean {
  return decodeText(head.subarray(0, name.length)) === name;
}

/** Reads metadata in our own format. INVALID_TAR, LIMIT_EXCEEDED; UNSUPPORTED for a later version. */
export class OwnReader implements PieceReader {
  readonly #reader: ByteReader;
  readonly #limits: SplitLimits;
  #count = 0;
  #ended = false;

  constructor(reader: ByteReader, limits: SplitLimits) {
    this.#reader = reader;
    this.#limits = limits;
  }

  next(): SplitPiece | undefined | Promise<SplitPiece | undefined> {
    if (this.#ended) return undefined;
    if (this.#count === 0) return this.#first();
    const head = this.#reader.peek(longestHead);
    return head instanceof Promise ? head.then((arrived) => this.#piece(arrived)) : this.#piece(head);
  }

  async #first(): Promise<SplitPiece | undefined> {
    const head = decodeText(await this.#reader.peek(magic.length));
    if (head !== decodeText(magic)) throw otherVersion(head, this.#reader.offset);
    this.#reader.drop(magic.length);
    return this.#piece(await this.#reader.peek(longestHead));
  }

  #piece(head: Uint8Array): SplitPiece | Promise<SplitPiece> {
    const { offset } = this.#reader;
    this.#count += 1;
    if (this.#count > this.#limits.records) throw overLimit('the metadata have a number of records that is', this.#limits.records, offset);
    const kind = head[0];
    if (kind === undefined) throw invalidMetadata('they end without an end record: they were cut off', offset);
    const { value, next } = readNumber(head, offset);
    if (kind === recordKinds.raw) return this.#rawOf(value, next);
    if (kind !== recordKinds.payload && kind !== recordKinds.end) throw invalidMetadata(`${kind} is no kind of record`, offset);
    if (head.length < next + 32) throw invalidMetadata('they end inside a record: they were cut off', offset + head.length);
    const digest = formatDigest('sha256', hexOf(head.subarray(next, next + 32)));
    this.#reader.drop(next + 32);
    if (kind === recordKinds.end) return this.#end({ kind: 'end', digest, size: value });
    if (value === 0) throw invalidMetadata('a payload has no bytes', offset);
    return { kind: 'payload', key: { digest, size: value } };
  }

  #rawOf(size: number, start: number): SplitPiece | Promise<SplitPiece> {
    const limit = Math.min(rawRecord, this.#limits.record);
    if (size > limit) throw overLimit('a raw record has a number of bytes that is', limit, this.#reader.offset);
    this.#reader.drop(start);
    const bytes = this.#reader.peek(size);
    return bytes instanceof Promise ? bytes.then((arrived) => this.#raw(arrived, size)) : this.#raw(bytes, size);
  }

  #raw(bytes: Uint8Array, size: number): SplitPiece {
    if (bytes.length < size) throw invalidMetadata('they end inside a raw record: they were cut off', this.#reader.offset + bytes.length);
    this.#reader.drop(size);
    return { kind: 'raw', bytes };
  }

  async #end(piece: SplitPiece): Promise<SplitPiece> {
    this.#ended = true;
    if ((await this.#reader.peek(1)).length > 0) throw invalidMetadata('something follows the end record', this.#reader.offset);
    return piece;
  }
}

/** The number after a record's kind, and where it ends. */
function readNumber(bytes: Uint8Array, offset: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let unit = 1;
  for (let next = 1; next < bytes.length && next <= 8; next++) {
    const byte = bytes[next] ?? 0;
    value += (byte & 0x7f) * unit;
    if (value > Number.MAX_SAFE_INTEGER) break;
    if (byte < 0x80) return { value, next: next + 1 };
    unit *= 0x80;
  }
  throw invalidMetadata('a number is cut off or above 2^53-1', offset + 1);
}

const hexes = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hexOf(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += hexes[byte] ?? '';
  return hex;
}

function otherVersion(head: string, offset: number): OciTarError {
  const version = head.slice(name.length).trim();
  return new OciTarError('UNSUPPORTED', `tar-split metadata of version ${JSON.stringify(version)}; only 1 is known`, { offset });
}
