import { constants, createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib';

/** @typedef {{ output: Uint8Array, consumed: number }} Inflated `output` is good until the next one; `consumed` is what the deflate data has of the input. */
/**
 * @typedef {{
 *   reset(): void,
 *   writeSync(flush: number, input: Uint8Array, start: number, length: number, output: Uint8Array, outputStart: number, outputLength: number): void,
 * }} Handle
 */
/** @typedef {{ readonly _handle: Handle, readonly _writeState: Uint32Array }} Transform `_writeState` is what the last write left free of the output, and unread of the input. */

/**
 * Inflates small pieces of deflate data, one after the other, into memory that is used again. `inflateRawSync` makes a stream and new memory each time, which is a third of the time
 * that it takes for the members of a Debian root. What is used of node:zlib here is not documented, though npm's own tar and others rely on it: so it is tried out
 * first, and where it does not do what it should `inflateRawSync` is taken.
 */
export class MemberInflater {
  #output;
  /** @type {Transform | undefined} */
  #transform;
  #failed = false;

  /** @param {number} most the most bytes that come of one piece */
  constructor(most) {
    // One more, so that what fills the memory is known to be too large.
    this.#output = new Uint8Array(most + 1);
    this.#transform = this.#start();
    if (this.#transform !== undefined && !this.#works()) this.#transform = undefined;
  }

  /** Whether memory is used again, or each piece is inflated by itself. */
  get reuses() {
    return this.#transform !== undefined;
  }

  /**
   * Inflates what starts at `start`, whatever follows it up to `end`; undefined where it is incomplete, broken or comes to more than `limit` bytes.
   * @param {Uint8Array} bytes @param {number} start @param {number} end @param {number} limit @returns {Inflated | undefined}
   */
  inflate(bytes, start, end, limit) {
    if (this.#transform === undefined) return inflatedAlone(bytes.subarray(start, end), limit);
    const room = Math.min(limit + 1, this.#output.length);
    const { _handle: handle, _writeState: state } = this.#transform;
    this.#failed = false;
    handle.reset();
    handle.writeSync(constants.Z_FINISH, bytes, start, end - start, this.#output, 0, room);
    const [free = 0, unread = 0] = state;
    return this.#failed || free === 0 ? undefined : { output: this.#output.subarray(0, room - free), consumed: end - start - unread };
  }

  #start() {
    const stream = createInflateRaw();
    // Should the handle tell the stream of an error after all, it must not end the thread.
    stream.on('error', () => {});
    const transform = /** @type {unknown} */ (stream);
    if (!isKnown(transform)) return undefined;
    Object.assign(transform._handle, { onerror: () => (this.#failed = true) });
    return transform;
  }

  #works() {
    try {
      const content = new Uint8Array(100).fill(7, 50);
      const bytes = deflateRawSync(content);
      const followed = Buffer.concat([bytes.subarray(0, 1), bytes, content]);
      const complete = () => {
        const inflated = this.inflate(followed, 1, followed.length, 100);
        return inflated !== undefined && inflated.consumed === bytes.length && content.length === inflated.output.length && content.every((byte, at) => byte === inflated.output[at]);
      };
      const refuses = () => this.inflate(bytes, 0, bytes.length - 1, 100) === undefined && this.inflate(bytes, 0, bytes.length, 99) === undefined;
      return complete() && refuses() && complete();
    } catch {
      return false;
    }
  }
}

/** @param {unknown} transform @returns {transform is Transform} */
function isKnown(transform) {
  if (typeof transform !== 'object' || transform === null || !('_handle' in transform) || !('_writeState' in transform)) return false;
  const { _handle: handle, _writeState: state } = transform;
  if (typeof handle !== 'object' || handle === null || !(state instanceof Uint32Array)) return false;
  return 'reset' in handle && typeof handle.reset === 'function' && 'writeSync' in handle && typeof handle.writeSync === 'function';
}

/** @param {Uint8Array} data @param {number} limit @returns {Inflated | undefined} */
function inflatedAlone(data, limit) {
  try {
    const result = /** @type {unknown} */ (inflateRawSync(data, { info: true, maxOutputLength: limit }));
    const { buffer, engine } = /** @type {{ buffer: Uint8Array, engine: { bytesWritten: number } }} */ (result);
    return { output: buffer, consumed: engine.bytesWritten };
  } catch {
    return undefined;
  }
}
