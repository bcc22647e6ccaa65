// Takes verifying off the main thread: a message is a batch of small members of a seekable layer, of whose content only digests go back, and what is asked for.
import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { MemberInflater } from './member-inflater.js';

/** @typedef {{ start: number, length: number, memory?: SharedArrayBuffer }} Piece `memory` where it is not in the arena. */
/** @typedef {{ hex: string, wanted: Uint8Array<ArrayBuffer>[] }} Digested */

/** Of a gzip header without optional fields (RFC 1952, 2.3). */
const headerSize = 10;
/** CRC-32 and length of the content. */
const trailerSize = 8;
/** What stands for the digest of a part whose member is not right; as long as one. */
const none = ' '.repeat(64);
/** The largest limit of a member; only what is used of it becomes real memory. */
const mostOutput = 9 * 1024 * 1024;

const inflater = new MemberInflater(mostOutput);

parentPort?.on('message', (/** @type {{ id: number, order: Float64Array, input: Piece }} */ { id, order, input: { start, length, memory = workerData.memory } }) => {
  const result = digested(new Uint8Array(memory, start, length), order);
  parentPort?.postMessage({ id, result }, result.wanted.map(({ buffer }) => buffer));
});

/** @param {Uint8Array} bytes @param {Float64Array} order see `packed` of member-digests.ts @returns {Digested} */
function digested(bytes, order) {
  /** @type {Digested} */
  const result = { hex: '', wanted: [] };
  for (let at = 0; at < order.length; ) {
    const [start = 0, end = 0, limit = 0, count = 0] = order.subarray(at, at + 4);
    const parts = order.subarray(at + 4, at + 4 + 3 * count);
    at += 4 + 3 * count;
    const content = contentOf(bytes, start, end, limit);
    for (let part = 0; part < parts.length; part += 3) {
      const [from = 0, size = 0, wanted = 0] = parts.subarray(part, part + 3);
      const right = content !== undefined && from + size <= content.length;
      const piece = right ? content.subarray(from, from + size) : undefined;
      result.hex += piece === undefined ? none : hash('sha256', piece);
      if (wanted === 1) result.wanted.push(Uint8Array.from(piece ?? []));
    }
  }
  return result;
}

/** @param {Uint8Array} bytes @param {number} start @param {number} end @param {number} limit @returns {Uint8Array | undefined} */
function contentOf(bytes, start, end, limit) {
  if (bytes[start] !== 0x1f || bytes[start + 1] !== 0x8b || bytes[start + 2] !== 8 || bytes[start + 3] !== 0 || end - start < headerSize) return undefined;
  const inflated = inflater.inflate(bytes, start + headerSize, end, limit);
  if (inflated === undefined) return undefined;
  const at = start + headerSize + inflated.consumed;
  if (at + trailerSize > end) return undefined;
  const { output } = inflated;
  const trailer = new DataView(bytes.buffer, bytes.byteOffset + at, trailerSize);
  return crc32(output) === trailer.getUint32(0, true) && output.length === trailer.getUint32(4, true) ? output : undefined;
}
