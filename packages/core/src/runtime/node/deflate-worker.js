// Takes deflate off the main thread: a message is a batch of jobs, whose bytes lie one behind the other in shared memory.
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { Deflater } from '../deflater.js';

/** @typedef {{ start: number, length: number, memory?: SharedArrayBuffer }} Piece `memory` where it is not in the arena. */
/** @typedef {{ length: number, level: number, room: { before: number, after: number } }} Job */

const deflater = new Deflater();

parentPort?.on('message', (/** @type {{ id: number, order: Job[], input: Piece, output: Piece }} */ { id, order, ...batch }) => {
  const input = bytesOf(batch.input);
  const output = bytesOf(batch.output);
  let from = 0;
  let to = 0;
  const result = order.map(({ length, level, room }) => {
    const bytes = input.subarray(from, from + length);
    from += length;
    const start = to;
    to += room.before;
    for (const piece of deflater.deflate(bytes, level)) {
      output.set(piece, to);
      to += piece.length;
    }
    to += room.after;
    return { length: to - start, crc: crc32(bytes) };
  });
  parentPort?.postMessage({ id, result });
});

/** @param {Piece} piece */
function bytesOf({ start, length, memory = workerData.memory }) {
  return new Uint8Array(memory, start, length);
}
