// Takes deflate off the main thread: a message is a batch of jobs, whose bytes lie one behind the other in shared memory.
import { parentPort } from 'node:worker_threads';
import { crc32, deflateRawSync } from 'node:zlib';

/** Most members of seekable layers come to less than this, so that zlib needs no second buffer. */
const outputSize = 64 * 1024;

/** As in `deflate.ts`, which says why. */
const memLevel = 6;

/** @typedef {{ input: Uint8Array, output: Uint8Array }} Memory */
/** @typedef {{ lane: number, memory?: Memory, jobs: { level: number, length: number }[] }} Batch */

/** @type {Map<number, Memory>} */
const lanes = new Map();

parentPort?.on('message', (/** @type {Batch} */ { lane, memory, jobs }) => {
  if (memory !== undefined) lanes.set(lane, memory);
  const { input, output } = lanes.get(lane) ?? { input: new Uint8Array(0), output: new Uint8Array(0) };
  let from = 0;
  let to = 0;
  const results = jobs.map(({ level, length }) => {
    const bytes = input.subarray(from, from + length);
    const data = deflateRawSync(bytes, { level, memLevel, chunkSize: outputSize });
    output.set(data, to);
    from += length;
    to += data.length;
    return { length: data.length, crc: crc32(bytes) };
  });
  parentPort?.postMessage({ lane, results });
});
