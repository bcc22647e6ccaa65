import { Deflater, longestDeflated } from './deflater.js';
import type { Deflated, Room } from './engines.ts';
import { Turns } from './turns.ts';

let deflater: Deflater | undefined;
/** One buffer at a time. */
let last: Promise<unknown> = Promise.resolve();

/** Deflate data without threads, made in turns of at most a mebibyte. */
export function deflateHere(bytes: Uint8Array, level: number, room: Room, crc32: (bytes: Uint8Array, before: number) => number): Promise<Deflated> {
  const deflated = last.then(async () => {
    const turns = new Turns();
    const output = new Uint8Array(room.before + longestDeflated(bytes.length) + room.after);
    deflater ??= new Deflater();
    deflater.start(level);
    let crc = 0;
    let to = room.before;
    let from = 0;
    do {
      const taken = deflater.write(bytes.subarray(from));
      crc = crc32(bytes.subarray(from, from + taken), crc);
      from += taken;
      const piece = deflater.compress(from === bytes.length);
      output.set(piece, to);
      to += piece.length;
      await turns.rest();
    } while (from < bytes.length);
    return { data: output.slice(0, to + room.after), crc };
  });
  last = deflated.catch(() => {});
  return deflated;
}
