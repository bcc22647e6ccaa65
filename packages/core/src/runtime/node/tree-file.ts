import { closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { promisify } from 'node:util';
import { OciTarError, isOciTarError } from '../../errors.ts';
import { Turns } from '../turns.ts';
import { mapErrno } from './errno.ts';

interface ReadOptions {
  readonly bufferSize?: number;
  readonly readAhead?: boolean;
  readonly signal?: AbortSignal;
}

/** O_NONBLOCK, so that a fifo which took the file's place does not hold the walk up. */
const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Up to here a file is read synchronously, which is several times as fast: its calls take less than their round trips. */
const smallFile = 64 * 1024;

/** A small file that a walk has open while it waits: looking at it and reading it then takes one path less to look up. */
export interface HeldFile {
  readonly stats: BigIntStats;
  /** Undefined once the walk went on. */
  descriptor: number | undefined;
}

/** Opens what is probably a small file; undefined for anything else, and for what cannot be opened. */
export function holdFile(place: string | Buffer): HeldFile | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(place, flags);
  } catch {
    return undefined;
  }
  const held = { descriptor, stats: fstatSync(descriptor, { bigint: true }) };
  if ((Number(held.stats.mode) & constants.S_IFMT) === constants.S_IFREG && held.stats.size <= smallFile) return held;
  closeSync(descriptor);
  return undefined;
}

export function releaseFile(held: HeldFile): void {
  if (held.descriptor !== undefined) closeSync(held.descriptor);
  held.descriptor = undefined;
}

/**
 * The bytes of a file that a walk saw, in runs of `bufferSize`. SIZE_MISMATCH where it is longer or shorter than it was,
 * CONFLICT where it is gone or another one, FORBIDDEN.
 */
export function treeFile(place: string | Buffer, subject: string, seen: BigIntStats, options: ReadOptions, held?: HeldFile): AsyncIterable<Uint8Array> {
  // Whole blocks, so that only the last run of a file is followed by padding.
  const bufferSize = Math.max(512, Math.floor((options.bufferSize ?? 1024 * 1024) / 512) * 512);
  const size = Number(seen.size);
  if (size <= smallFile) return new SmallFile(() => readSmall(place, subject, seen, size, held), bufferSize);
  return { [Symbol.asyncIterator]: () => large(place, subject, seen, size, { bufferSize, readAhead: options.readAhead ?? true, signal: options.signal }) };
}

/** Read as a whole when the first run is asked for. It can be iterated either way, since nothing is waited for. */
class SmallFile implements AsyncIterable<Uint8Array>, Iterable<Uint8Array> {
  readonly #read: () => Uint8Array;
  readonly #bufferSize: number;

  constructor(read: () => Uint8Array, bufferSize: number) {
    this.#read = read;
    this.#bufferSize = bufferSize;
  }

  *[Symbol.iterator](): Generator<Uint8Array, void, void> {
    const bytes = this.#read();
    for (let at = 0; at < bytes.length; at += this.#bufferSize) yield bytes.subarray(at, at + this.#bufferSize);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    yield* this[Symbol.iterator]();
  }
}

function readSmall(place: string | Buffer, subject: string, seen: BigIntStats, size: number, held: HeldFile | undefined): Uint8Array {
  if (held?.descriptor !== undefined) return readDescriptor(held.descriptor, subject, size);
  const file = openSame(place, subject, seen);
  try {
    return readDescriptor(file, subject, size);
  } finally {
    closeSync(file);
  }
}

function openSame(place: string | Buffer, subject: string, seen: BigIntStats): number {
  let file: number;
  try {
    file = openSync(place, flags);
  } catch (cause) {
    throw changed(subject, cause);
  }
  const now = fstatSync(file, { bigint: true });
  if (now.dev === seen.dev && now.ino === seen.ino && now.isFile()) return file;
  closeSync(file);
  throw new OciTarError('CONFLICT', `${JSON.stringify(subject)} was replaced while the tree was read`, { subject });
}

function readDescriptor(file: number, subject: string, size: number): Uint8Array {
  // One byte more than there should be, so that a file which grew is found out.
  const buffer = room(size + 1);
  let filled = 0;
  for (let count = 1; count > 0 && filled <= size; filled += count) {
    count = readSync(file, buffer, filled, buffer.length - filled, filled);
    // Fewer than asked for is the end of a regular file, which saves asking once more.
    if (filled + count === size) return buffer.subarray(0, size);
  }
  throw resized(subject, size, filled);
}

let slab = Buffer.alloc(0);

/** Small files share their memory: an allocation for each takes longer than its read. */
function room(size: number): Buffer {
  if (slab.length < size) slab = Buffer.allocUnsafeSlow(4 * smallFile);
  const part = slab.subarray(0, size);
  slab = slab.subarray(size);
  return part;
}

async function* large(
  place: string | Buffer,
  subject: string,
  seen: BigIntStats,
  size: number,
  { bufferSize, readAhead, signal }: { readonly bufferSize: number; readonly readAhead: boolean; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void, void> {
  const file = openSame(place, subject, seen);
  const pace = new Pace();
  const turns = new Turns();
  let ahead: Promise<Uint8Array> | undefined;
  try {
    for (let at = 0; at < size; ) {
      signal?.throwIfAborted();
      const length = Math.min(bufferSize, size - at);
      const bytes = ahead === undefined ? pace.read(file, at, length) : await ahead;
      at += bytes.length;
      if (bytes.length < length) throw resized(subject, size, at);
      if (at === size && fillSync(file, size, 1).length > 0) throw resized(subject, size, size + 1);
      if (at < size && (readAhead || pace.isSlow)) {
        ahead = fill(file, at, Math.min(bufferSize, size - at));
        // The reader may stop here: a read that fails later must not go unhandled.
        ahead.catch(() => {});
      }
      yield bytes;
      const rest = turns.rest();
      if (rest !== undefined) await rest;
    }
  } finally {
    // The file's number may be another's as soon as it is closed.
    await ahead?.catch(() => {});
    closeSync(file);
  }
}

/** So long, in ms a MiB, takes what is in memory at most, with a margin: 0.15 were measured. */
const inMemory = 0.5;
/** So much longer, in ms, reads may have taken lately. */
const patience = 10;

/**
 * Reads synchronously, and tells when that gets slow. 1 GiB that is in memory goes into a pipe in 0.5 s so, by way of the thread pool
 * in 0.8; but who digests it needs 1.9 s instead of 1.7, and a disk should be waited for by the thread pool.
 */
class Pace {
  #late = 0;

  get isSlow(): boolean {
    return this.#late > patience;
  }

  read(file: number, start: number, length: number): Uint8Array {
    const before = performance.now();
    const bytes = fillSync(file, start, length);
    this.#late = Math.max(0, this.#late + performance.now() - before - (inMemory * length) / 1024 ** 2);
    return bytes;
  }
}

/** `length` bytes from `start` on, fewer only where the file ends. */
function fillSync(file: number, start: number, length: number): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  for (let count = 1; count > 0 && filled < length; filled += count) count = readSync(file, buffer, filled, length - filled, start + filled);
  return buffer.subarray(0, filled);
}

const readAsync = promisify(read);

/** The same by way of the thread pool. */
async function fill(file: number, start: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await readAsync(file, buffer, filled, length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function resized(subject: string, expected: number, actual: number): OciTarError {
  const message = `${JSON.stringify(subject)} changed its size while it was read, from ${expected} bytes`;
  return new OciTarError('SIZE_MISMATCH', message, { subject, expected, actual });
}

/** The error for what went away, or cannot be read, between being seen and being opened. */
export function changed(subject: string, cause: unknown): OciTarError {
  const details = { subject, cause };
  const mapped = mapErrno(cause, subject);
  if (isOciTarError(mapped, 'FORBIDDEN')) return new OciTarError('FORBIDDEN', `${subject} may not be read`, details);
  if (isOciTarError(mapped) && mapped.code !== 'NOT_FOUND' && mapped.code !== 'UNSAFE_PATH') return mapped;
  return new OciTarError('CONFLICT', `${subject} went away while the tree was read`, details);
}
