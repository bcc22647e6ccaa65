// Takes hashing off the main thread: one worker serves many digesters, told apart by their id.
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** @type {Map<number, import('node:crypto').Hash>} */
const hashes = new Map();

/** @typedef {{ id: number, op: 'open', algorithm: string } | { id: number, op: 'update', buffer: ArrayBuffer, length: number } | { id: number, op: 'hex' | 'drop' }} Request */

parentPort?.on('message', (/** @type {Request} */ request) => {
  if (request.op === 'open') {
    hashes.set(request.id, createHash(request.algorithm));
  } else if (request.op === 'update') {
    const { id, buffer, length } = request;
    hashes.get(id)?.update(new Uint8Array(buffer, 0, length));
    // The memory goes back for the next chunk, so that none has to be collected on either side.
    parentPort?.postMessage({ id, taken: length, buffer }, [buffer]);
  } else {
    const hex = request.op === 'hex' ? hashes.get(request.id)?.digest('hex') : undefined;
    hashes.delete(request.id);
    if (hex !== undefined) parentPort?.postMessage({ id: request.id, hex });
  }
});
