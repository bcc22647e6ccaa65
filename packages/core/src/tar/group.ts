import { OciTarError, isOciTarError } from '../errors.ts';
import { blockSize, isZero, paddingOf } from './block.ts';
import { resolveEntry } from './entry.ts';
import type { SparseFile, TarEntry } from './entry.ts';
import { decodeHeader, hasChecksum } from './header.ts';
import { invalidTar, truncatedTar } from './invalid.ts';
import { parseNumber } from './number.ts';
import { noRecords, parsePax } from './pax.ts';
import type { PaxRecords } from './pax.ts';
import { untilNul } from './text.ts';

/** The header blocks that belong together: one entry's, a global PAX header, or the end of the archive. */
export type Group =
  | { readonly kind: 'entry'; readonly length: number; readonly entry: TarEntry }
  | { readonly kind: 'global'; readonly length: number; readonly pax: PaxRecords }
  | { readonly kind: 'end'; readonly length: number }
  | { readonly kind: 'invalid'; readonly error: OciTarError };

/** Bytes at the place where a group starts: `n` of them, or fewer where the archive ends. Nothing is used up. They are good until the next peek. */
export type Peek = (n: number) => Uint8Array | Promise<Uint8Array>;

/** Bytes that the headers of one entry may take together, and the global records of an archive: 1 MiB. */
export const defaultHeaderLimit = 1024 * 1024;

/**
 * Reads the groups of one archive, one after the other. It holds what carries over from one to the next:
 * the global PAX records. Reading never uses bytes up, so what turns out invalid is still there to be read raw.
 */
export class GroupReader {
  readonly #limit: number;
  #globals: PaxRecords = noRecords;

  constructor(limit = defaultHeaderLimit) {
    this.#limit = limit;
  }

  /** The group at `offset`; undefined where the archive ends without an end marker. A promise only where `peek` gives one. */
  read(offset: number, peek: Peek): Found | Promise<Found> {
    return this.#read(new Pending(offset, this.#limit, this.#globals), peek);
  }

  #read(pending: Pending, peek: Peek): Found | Promise<Found> {
    for (;;) {
      const bytes = peek(pending.nextSize());
      if (bytes instanceof Promise) return this.#readLate(pending, peek, bytes);
      if (bytes.length === 0) return undefined;
      const group = this.#parse(pending, bytes);
      if (group !== undefined) return group;
    }
  }

  async #readLate(pending: Pending, peek: Peek, arriving: Promise<Uint8Array>): Promise<Found> {
    const bytes = await arriving;
    return bytes.length === 0 ? undefined : (this.#parse(pending, bytes) ?? this.#read(pending, peek));
  }

  /** Undefined where it takes more bytes than these. */
  #parse(pending: Pending, bytes: Uint8Array): Found {
    try {
      const group = bytes.length < pending.need ? pending.end(bytes) : pending.parse(bytes);
      if (group !== undefined && group.kind !== 'invalid') this.#globals = pending.globals;
      return group;
    } catch (error) {
      if (isOciTarError(error)) return { kind: 'invalid', error };
      throw error;
    }
  }
}

type Found = Group | undefined;

/** A group that is not complete yet. `parse` is called with ever more bytes from its start until it returns one. */
class Pending {
  need = blockSize;
  globals: PaxRecords;
  #size = 0;
  #at = 0;
  #pax: PaxRecords = noRecords;
  #longPath: Uint8Array | undefined;
  #longLink: Uint8Array | undefined;
  /** A hardlink that would have a body if the archive went on with one. */
  #bare: Group | undefined;
  readonly #offset: number;
  readonly #limit: number;

  constructor(offset: number, limit: number, globals: PaxRecords) {
    this.#offset = offset;
    this.#limit = limit;
    this.globals = globals;
  }

  /** How many bytes to look at next. Growing by half at least: a group of 2,000 small extensions must not be copied 2,000 times. */
  nextSize(): number {
    this.#size = Math.floor(Math.max(this.need, this.#size > 8 * blockSize ? this.#size * 1.5 : 0));
    return this.#size;
  }

  /** The archive ends after `bytes`, before the group does. */
  end(bytes: Uint8Array): Group {
    if (this.#bare !== undefined) return this.#bare;
    // One block of zeros is half an end marker; some writers leave it at that, and nothing is missing.
    if (bytes.length === blockSize && isZero(bytes)) return { kind: 'end', length: blockSize };
    throw truncatedTar(this.#offset + bytes.length, `the headers that start at byte ${this.#offset} are not complete`);
  }

  parse(bytes: Uint8Array): Group | undefined {
    while (bytes.length >= this.#at + blockSize) {
      const block = bytes.length === blockSize ? bytes : bytes.subarray(this.#at, this.#at + blockSize);
      if (block[0] === 0 && isZero(block)) return this.#zeros(bytes);
      const offset = this.#offset + this.#at;
      const header = decodeHeader(block, offset);
      if (!extensions.has(header.typeflag)) {
        const length = header.typeflag === 'S' ? this.#sparseEnd(bytes) : this.#at + blockSize;
        if (length === undefined) return undefined;
        const sparse = header.typeflag === 'S' ? oldSparse(bytes.subarray(this.#at, length), offset) : undefined;
        const before = { pax: this.#pax, globals: this.globals, longPath: this.#longPath, longLink: this.#longLink };
        const entry = resolveEntry(header, before, this.#offset, this.#offset + length, sparse);
        if (entry.type !== 'hardlink' || entry.size === 0) return { kind: 'entry', length, entry };
        return this.#hardlink(bytes, length, entry);
      }
      const body = this.#at + blockSize;
      const end = body + header.size + paddingOf(header.size);
      this.#need(end);
      if (bytes.length < end) return undefined;
      this.#extend(header.typeflag, bytes.subarray(body, body + header.size), offset);
      if (header.typeflag === 'g' && this.#at === 0) {
        return { kind: 'global', length: end, pax: this.#pax };
      }
      this.#at = end;
      this.#need(end + blockSize);
    }
    return undefined;
  }

  #need(bytes: number): void {
    // One block more than the limit, so that the limit itself can be used to the full by extensions.
    if (bytes > this.#limit + blockSize) {
      const message = `the headers at byte ${this.#offset} of the tar archive take more than ${this.#limit} bytes`;
      throw new OciTarError('LIMIT_EXCEEDED', message, { limit: this.#limit, offset: this.#offset });
    }
    this.need = bytes;
  }

  #zeros(bytes: Uint8Array): Group | undefined {
    if (this.#at > 0) throw invalidTar('an extension header is followed by no entry', this.#offset + this.#at);
    this.need = 2 * blockSize;
    if (bytes.length < this.need) return undefined;
    if (isZero(bytes.subarray(0, this.need))) return { kind: 'end', length: this.need };
    throw invalidTar('a lone block of zeros between entries', this.#offset);
  }

  /**
   * Whether the body that a hardlink's size speaks of is there cannot be told from its header. Most writers mean the linked
   * file's size and no body, and Go and GNU tar read it so; the others put what is neither a header nor zeros next.
   */
  #hardlink(bytes: Uint8Array, length: number, entry: TarEntry): Group | undefined {
    this.need = length + blockSize;
    // Its names are copies: what was peeked at is good until the next peek.
    this.#bare = { kind: 'entry', length, entry: { ...entry, size: 0, pathBytes: entry.pathBytes.slice(), linknameBytes: entry.linknameBytes.slice() } };
    if (bytes.length < this.need) return undefined;
    const next = bytes.subarray(length, this.need);
    return isZero(next) || hasChecksum(next) ? this.#bare : { kind: 'entry', length, entry };
  }

  #extend(typeflag: string, body: Uint8Array, offset: number): void {
    if (typeflag === 'L') this.#longPath = longName(body);
    else if (typeflag === 'K') this.#longLink = longName(body);
    else if (typeflag === 'x' || typeflag === 'X') this.#pax = parsePax(body, offset + blockSize);
    else {
      const records = parsePax(body, offset + blockSize);
      this.globals = merge(this.globals, records, this.#limit);
      if (this.#at === 0) this.#pax = records;
    }
  }

  /** Where the blocks end that continue an old GNU sparse file's map; undefined while they have not arrived. */
  #sparseEnd(bytes: Uint8Array): number | undefined {
    let end = this.#at + blockSize;
    let more = bytes[this.#at + 482] !== 0;
    while (more) {
      this.#need(end + blockSize);
      if (bytes.length < this.need) return undefined;
      more = bytes[end + 504] !== 0;
      end += blockSize;
    }
    return end;
  }
}

/** PAX, PAX as Solaris spells it, global PAX, GNU long name, GNU long link. */
const extensions = new Set(['x', 'X', 'g', 'L', 'K']);

/** A copy, since the rest of the group is peeked at later. */
function longName(body: Uint8Array): Uint8Array | undefined {
  const name = untilNul(body, 0, body.length);
  return name.length === 0 ? undefined : name.slice();
}

/** What the header of an old GNU sparse file and the blocks that continue its map say. */
function oldSparse(blocks: Uint8Array, offset: number): SparseFile {
  const realSize = parseNumber(blocks, 483, 495);
  if (realSize === undefined || realSize < 0) throw invalidTar('the real size of a sparse file is no number', offset + 483);
  // 4 places in the header, 21 in every block after it.
  const more = blocks.length / blockSize - 1;
  const mapBlocks = new Uint8Array(24 * (4 + 21 * more));
  mapBlocks.set(blocks.subarray(386, 482));
  for (let i = 0; i < more; i++) mapBlocks.set(blocks.subarray((i + 1) * blockSize, (i + 1) * blockSize + 504), 96 + 504 * i);
  return { realSize, mapBlocks };
}

/** Global keywords that may be in force at once. Each global header copies them all; real ones have one to five. */
const globalCount = 256;

/** Later global records over earlier ones; one of no length takes the earlier one back. */
function merge(globals: PaxRecords, records: PaxRecords, limit: number): PaxRecords {
  const merged = new Map(globals);
  for (const [keyword, value] of records) {
    if (value.length === 0) merged.delete(keyword);
    else merged.set(keyword, value);
  }
  if (merged.size > globalCount) {
    const message = `the tar archive has more than ${globalCount} global records`;
    throw new OciTarError('LIMIT_EXCEEDED', message, { limit: globalCount });
  }
  let size = 0;
  for (const [keyword, value] of merged) size += keyword.length + value.length;
  if (size > limit) {
    throw new OciTarError('LIMIT_EXCEEDED', `the tar archive's global records take more than ${limit} bytes`, { limit });
  }
  return merged;
}
