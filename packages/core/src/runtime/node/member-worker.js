// Takes verifying off the main thread: a message is a batch of small members of a seekable layer, of whose content only digests go back, and what is asked for.
import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32, inflateRawSync } from 'node:zlib';

/** @typedef {{ start: number, length: number, memory?: SharedArrayBuffer }} Piece `memory` where it is not in the arena. */
/** @typedef {{ start: number, length: number, wanted: boolean }} Part */
/** @typedef {{ start: number, end: number, limit: number, parts: Part[] }} Member `start` and `end` in the batch's memory, `limit` of what it decompresses to. */

/** Of a gzip header without optional fields (RFC 1952, 2.3). */
const headerSize = 10;

/** zlib hands out so many bytes at once: what fits is not copied once more, and most members fit. */
const leastOutput = 4 * 1024;
const mostOutput = 9 * 1024 * 1024;

parentPort?.on('message', (/** @type {{ id: number, order: Member[], input: Piece }} */ { id, order, input: { start, length, memory = workerData.memory } }) => {
  const bytes = new Uint8Array(memory, start, length);
  const result = order.map((member) => digestsOf(bytes, member));
  const wanted = result.flatMap((parts) => (parts ?? []).flatMap((part) => (part.bytes === undefined ? [] : [part.bytes.buffer])));
  parentPort?.postMessage({ id, result }, wanted);
});

/** @param {Uint8Array} bytes @param {Member} member */
function digestsOf(bytes, { start, end, limit, parts }) {
  if (bytes[start] !== 0x1f || bytes[start + 1] !== 0x8b || bytes[start + 2] !== 8 || bytes[start + 3] !== 0) return undefined;
  const data = start + headerSize;
  const { output, consumed } = inflated(bytes.subarray(data, end), limit, parts);
  const trailer = data + consumed;
  if (output === undefined || trailer + 4 > end) return undefined;
  if (crc32(output) !== new DataView(bytes.buffer, bytes.byteOffset + trailer, 4).getUint32(0, true)) return undefined;
  if (parts.some((part) => part.start + part.length > output.length)) return undefined;
  return parts.map((part) => {
    const content = output.subarray(part.start, part.start + part.length);
    const hex = hash('sha256', content);
    return part.wanted ? { hex, bytes: Uint8Array.from(content) } : { hex };
  });
}

/** @param {Uint8Array} data @param {number} limit @param {Part[]} parts @returns {{ output: Uint8Array | undefined, consumed: number }} */
function inflated(data, limit, parts) {
  const last = parts.at(-1) ?? { start: 0, length: 0 };
  // Padding and the headers after the content mostly have less than 8 KiB.
  const chunkSize = Math.min(Math.max(last.start + last.length + 8192, leastOutput), mostOutput);
  try {
    const result = /** @type {unknown} */ (inflateRawSync(data, { info: true, maxOutputLength: limit, chunkSize }));
    const { buffer, engine } = /** @type {{ buffer: Uint8Array, engine: { bytesWritten: number } }} */ (result);
    return { output: buffer, consumed: engine.bytesWritten };
  } catch {
    // Incomplete, large or broken: whoever asked finds out which.
    return { output: undefined, consumed: 0 };
  }
}
