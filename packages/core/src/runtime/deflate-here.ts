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
    let at = room.before;
    deflater ??= new Deflater();
    for (const piece of deflater.deflate(bytes, level)) {
      output.set(piece, at);
      at += piece.length;
      await turns.rest();
    }
    return { data: output.slice(0, at + room.after), crc: crc32(bytes, 0) };
  });
  last = deflated.catch(() => {});
  return deflated;
}
