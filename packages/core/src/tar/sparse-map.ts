import { OciTarError } from '../errors.ts';
import type { ByteReader } from '../bytes/reader.ts';
import { blockSize } from './block.ts';
import type { TarEntry } from './entry.ts';
import { invalidTar } from './invalid.ts';
import { parseDecimal, parseNumber } from './number.ts';
import { decodeText } from './text.ts';

/** A piece of a sparse file: `size` bytes of the body belong at `offset` of the file. */
export interface SparsePiece {
  readonly offset: number;
  readonly size: number;
}

/**
 * The map of a sparse file, in order and checked: pieces do not overlap, lie in the file, and are the whole body.
 * `reader` is at the start of the body; the map of PAX 1.0 is read from there. INVALID_TAR, LIMIT_EXCEEDED.
 */
export async function readSparseMap(entry: TarEntry, realSize: number, reader: ByteReader, limit: number): Promise<readonly SparsePiece[]> {
  const bad = (why: string): OciTarError => invalidTar(`the map of the sparse file ${JSON.stringify(entry.path)} ${why}`, entry.offset, entry.path);
  const numbers = await numbersOf(entry, reader, bad, limit);
  const pieces: SparsePiece[] = [];
  let end = 0;
  let stored = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset = 0, size = 0] = [numbers[i], numbers[i + 1]];
    if (offset < end || size > realSize - offset) throw bad(`has a piece of ${size} bytes at ${offset}, which is not after ${end} and before ${realSize}`);
    end = offset + size;
    stored += size;
    if (size > 0) pieces.push({ offset, size });
  }
  const body = entry.dataOffset + entry.size - reader.offset;
  if (stored !== body) throw bad(`speaks of ${stored} bytes, the archive has ${body}`);
  return pieces;
}

type Bad = (why: string) => OciTarError;

/** Offsets and sizes in turn. */
async function numbersOf(entry: TarEntry, reader: ByteReader, bad: Bad, limit: number): Promise<readonly number[]> {
  const blocks = entry.sparse?.mapBlocks;
  if (blocks !== undefined) return oldNumbers(blocks, bad, limit);
  const major = entry.pax.get('GNU.sparse.major');
  if (major !== undefined && decodeText(major) === '1') return bodyNumbers(reader, bad, limit);
  const count = entry.pax.get('GNU.sparse.numblocks');
  // Version 0.0 has a record for each piece, and so none where there is no piece.
  const record = entry.pax.get('GNU.sparse.map') ?? (count !== undefined && decodeText(count) === '0' ? new Uint8Array(0) : undefined);
  if (record === undefined || (major !== undefined && decodeText(major) !== '0')) throw bad('is of no known kind');
  if (record.length === 0) return [];
  const words = decodeText(record).split(',', 2 * limit + 2);
  checkCount(words.length / 2, limit);
  if (words.length % 2 !== 0) throw bad('has an offset without a size');
  return words.map((word) => decimal(word, bad));
}

/** Of the old GNU kind: 12 bytes of offset and 12 of size, in the header and the blocks after it. */
function oldNumbers(blocks: Uint8Array, bad: Bad, limit: number): readonly number[] {
  const numbers: number[] = [];
  for (let at = 0; at + 24 <= blocks.length; at += 24) {
    // Places that are not used are left empty.
    if (blocks[at] === 0 || blocks[at + 12] === 0) continue;
    const [offset, size] = [parseNumber(blocks, at, at + 12), parseNumber(blocks, at + 12, at + 24)];
    if (offset === undefined || size === undefined || offset < 0 || size < 0) throw bad('has what is no number up to 2^53-1');
    numbers.push(offset, size);
    checkCount(numbers.length / 2, limit);
  }
  return numbers;
}

/** Of PAX 1.0: in front of the pieces, decimal lines: how many pieces, then offset and size of each; in whole blocks. */
async function bodyNumbers(reader: ByteReader, bad: Bad, limit: number): Promise<readonly number[]> {
  const numbers: number[] = [];
  let wanted: number | undefined;
  let text = '';
  while (wanted === undefined || numbers.length < wanted) {
    const block = await reader.peek(blockSize);
    if (block.length < blockSize) throw bad('is cut off');
    text += decodeText(block);
    await reader.skip(blockSize);
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (wanted !== undefined && numbers.length >= wanted) break;
      const number = decimal(line, bad);
      if (wanted !== undefined) numbers.push(number);
      else {
        checkCount(number, limit);
        wanted = 2 * number;
      }
    }
    // What is left over is the start of a number while there are more to come.
    if (text.length > 16 && (wanted === undefined || numbers.length < wanted)) throw bad('has what is no number up to 2^53-1');
  }
  return numbers;
}

function decimal(text: string, bad: Bad): number {
  const number = parseDecimal(text);
  if (number === undefined) throw bad('has what is no number up to 2^53-1');
  return number;
}

function checkCount(count: number, limit: number): void {
  if (count <= limit) return;
  throw new OciTarError('LIMIT_EXCEEDED', `a sparse file in the tar archive has more than ${limit} pieces`, { limit });
}
