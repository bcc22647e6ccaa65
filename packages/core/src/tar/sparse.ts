import { OciTarError } from '../errors.ts';
import { ByteReader } from '../bytes/reader.ts';
import type { ByteStream } from '../bytes/types.ts';
import type { TarEntryWithData } from './entries.ts';
import type { TarEntry } from './entry.ts';
import { readSparseMap } from './sparse-map.ts';

/** Bytes of a file that are not in a hole, and where in the file they are. */
export interface FileRun {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface SparseOptions {
  /** Pieces that a sparse file may consist of: 100,000 by default. LIMIT_EXCEEDED. */
  readonly pieceLimit?: number;
  /** Bytes that a sparse file may have with its holes: 2^40 by default, since a few bytes can claim 2^53. LIMIT_EXCEEDED. */
  readonly sizeLimit?: number;
}

const defaultPieces = 100_000;
const defaultSize = 2 ** 40;

/** Bytes of the file that an entry stands for, its holes included; `size` is what the archive has of it. */
export function fileSize(entry: Pick<TarEntry, 'size' | 'sparse'>): number {
  return entry.sparse?.realSize ?? entry.size;
}

/**
 * The file of an entry without its holes, in order. `data` is the entry's body: the pieces of a sparse file of any
 * generation (old GNU; PAX 0.0, 0.1, 1.0), or the bytes of a plain one, which pass as they are.
 * INVALID_TAR for a map that does not fit the body or the file, LIMIT_EXCEEDED before the first byte.
 */
export async function* fileRuns(entry: TarEntry, data: ByteStream, options: SparseOptions = {}): AsyncGenerator<FileRun, void, void> {
  if (entry.sparse === undefined) {
    let offset = 0;
    for await (const bytes of data) {
      yield { offset, bytes };
      offset += bytes.length;
    }
    return;
  }
  const { pieceLimit = defaultPieces, sizeLimit = defaultSize } = options;
  const { realSize } = entry.sparse;
  if (realSize > sizeLimit) {
    const message = `the sparse file ${JSON.stringify(entry.path)} has ${realSize} bytes with its holes, more than ${sizeLimit}`;
    throw new OciTarError('LIMIT_EXCEEDED', message, { limit: sizeLimit, offset: entry.offset, subject: entry.path });
  }
  const reader = new ByteReader(data, entry.dataOffset);
  try {
    for (const piece of await readSparseMap(entry, realSize, reader, pieceLimit)) {
      let at = piece.offset;
      for await (const bytes of reader.stream(piece.size)) {
        yield { offset: at, bytes };
        at += bytes.length;
      }
    }
  } finally {
    await reader.close();
  }
}

/** Length of the runs that a hole is handed out in. */
const holeRun = 256 * 1024;
let zeros: Uint8Array | undefined;

/** The bytes of the file that an entry stands for, holes filled with zeros: `fileSize(entry)` of them. As `fileRuns` otherwise. */
export async function* fileBytes(entry: TarEntry, data: ByteStream, options: SparseOptions = {}): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  for await (const { offset, bytes } of fileRuns(entry, data, options)) {
    yield* hole(offset - at);
    yield bytes;
    at = offset + bytes.length;
  }
  yield* hole(fileSize(entry) - at);
}

function* hole(size: number): Generator<Uint8Array, void, void> {
  if (size <= 0) return;
  // One run for all: its readers may keep it but not change it.
  zeros ??= new Uint8Array(holeRun);
  for (let left = size; left > 0; left -= holeRun) yield left >= holeRun ? zeros : zeros.subarray(0, left);
}

/**
 * A sparse file as an entry of the same file without holes, which any reader understands and `pack` takes; any other
 * entry as it is. `size`, `typeflag` and the PAX records change with the body.
 */
export function asPlainFile(entry: TarEntryWithData, options: SparseOptions = {}): TarEntryWithData {
  if (entry.sparse === undefined) return entry;
  const { sparse, ...plain } = entry;
  const pax = new Map([...entry.pax].filter(([keyword]) => keyword !== 'size' && !keyword.startsWith('GNU.sparse.')));
  return { ...plain, typeflag: '0', size: sparse.realSize, pax, data: fileBytes(entry, entry.data, options) };
}
