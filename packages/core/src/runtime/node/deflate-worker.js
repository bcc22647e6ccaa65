// Takes deflate off the main thread: a message is a batch of jobs, whose bytes lie one behind the other in shared memory.
import { parentPort, workerData } from 'node:worker_threads';
import { crc32, deflateRawSync } from 'node:zlib';

/** Most members of seekable layers come to less than this, so that zlib needs no second buffer. */
const outputSize = 64 * 1024;

/** @typedef {{ start: number, length: number, memory?: SharedArrayBuffer }} Piece `memory` where it is not in the arena. */
/** @typedef {{ length: number, level: number, memLevels: number[], trialLevel: number, room: { before: number, after: number } }} Job */

parentPort?.on('message', (/** @type {{ id: number, order: Job[], input: Piece, output: Piece }} */ { id, order, ...batch }) => {
  const input = bytesOf(batch.input);
  const output = bytesOf(batch.output);
  let from = 0;
  let to = 0;
  const result = order.map(({ length, level, memLevels, trialLevel, room }) => {
    const bytes = input.subarray(from, from + length);
    const data = deflated(bytes, level, bestOf(bytes, memLevels, trialLevel));
    output.set(data, to + room.before);
    const size = room.before + data.length + room.after;
    from += length;
    to += size;
    return { length: size, crc: crc32(bytes) };
  });
  parentPort?.postMessage({ id, result });
});

/** Which gives the least at the trial level; of equals the first. @param {Uint8Array} bytes @param {number[]} memLevels @param {number} trialLevel */
function bestOf(bytes, memLevels, trialLevel) {
  const [first] = memLevels;
  if (memLevels.length === 1) return first;
  const sizes = memLevels.map((memLevel) => deflated(bytes, trialLevel, memLevel).length);
  return memLevels[sizes.indexOf(Math.min(...sizes))];
}

/** @param {Uint8Array} bytes @param {number} level @param {number | undefined} memLevel */
function deflated(bytes, level, memLevel) {
  return deflateRawSync(bytes, { level, memLevel, chunkSize: outputSize });
}

/** @param {Piece} piece */
function bytesOf({ start, length, memory = workerData.memory }) {
  return new Uint8Array(memory, start, length);
}
