import type { ByteStream } from '../../bytes/types.ts';
import { gzipHeader, gzipTrailer } from '../gzip-frame.ts';
import { ordered } from '../ordered.ts';
import { zlib } from './builtins.ts';

/** A piece is compressed apart from the others, with what went before it as its dictionary: as fast as one run and 0.02 % smaller on the files of a Debian. */
const pieceSize = 512 * 1024;

/** zlib hands out so many bytes at once, each time by way of the main thread. Most pieces come to less. */
const outputSize = 256 * 1024;

/**
 * Pieces at a time. They are compressed in libuv's threads, of which there are four: one is left for reading the input. Threads of our own
 * are a tenth faster on two cores and take 45 MiB each, most of it memory that their collector does not miss.
 */
const piecesAtOnce = 3;

/** How far back deflate can refer (RFC 1951, 2). */
const windowSize = 32 * 1024;

interface Piece {
  readonly bytes: Uint8Array;
  readonly size: number;
  /** What went before and may be referred to. */
  readonly dictionary: Uint8Array;
  /** Whether the deflate data end with it; else with an empty stored block, at a whole byte, so that the next piece can follow. */
  readonly last: boolean;
}

/**
 * One gzip member, compressed over the cores. Its bytes depend on the input, the level and the platform's zlib, and not on how many cores there are or how
 * the input is cut; up to 512 KiB they are those of one run.
 */
export async function* compressInPieces(bytes: ByteStream, level: number): AsyncGenerator<Uint8Array, void, void> {
  let crc = 0;
  let size = 0;
  yield gzipHeader(level);
  const ahead = { count: piecesAtOnce, bytes: piecesAtOnce * pieceSize };
  for await (const piece of ordered(piecesOf(bytes), ahead, (one) => compressed(one, level))) {
    crc = zlib().crc32(piece.bytes, crc);
    size += piece.size;
    yield piece.data;
  }
  yield gzipTrailer(crc, size);
}

async function compressed(piece: Piece, level: number): Promise<Piece & { readonly data: Uint8Array }> {
  const { Z_FINISH, Z_SYNC_FLUSH } = zlib().constants;
  const { bytes, dictionary, last } = piece;
  const options = { level, chunkSize: outputSize, finishFlush: last ? Z_FINISH : Z_SYNC_FLUSH, ...(dictionary.length > 0 && { dictionary }) };
  const data = await new Promise<Uint8Array>((resolve, reject) => {
    zlib().deflateRaw(bytes, options, (error, deflated) => (error === null ? resolve(deflated) : reject(error)));
  });
  return { ...piece, data };
}

/** Cuts at every 512 KiB; a piece is held back until it is known whether it is the last. */
async function* piecesOf(bytes: ByteStream): AsyncGenerator<Piece, void, void> {
  let room = new Uint8Array(pieceSize);
  let start = 0;
  let end = 0;
  const piece = (last: boolean): Piece => ({ bytes: room.subarray(start, end), size: end - start, dictionary: room.subarray(0, start), last });
  for await (const run of bytes) {
    for (let rest = run; rest.length > 0; ) {
      if (end === room.length) {
        yield piece(false);
        const before = room.subarray(end - windowSize);
        room = new Uint8Array(windowSize + pieceSize);
        room.set(before);
        start = windowSize;
        end = windowSize;
      }
      const taken = rest.subarray(0, room.length - end);
      room.set(taken, end);
      end += taken.length;
      rest = rest.subarray(taken.length);
    }
  }
  yield piece(true);
}
