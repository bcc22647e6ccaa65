import { availableParallelism } from 'node:os';
import type { Deflated } from '../engines.ts';
import { zlib } from './builtins.ts';
import { DeflateThread } from './deflate-thread.ts';
import { warnOfThread } from './thread-warning.ts';

/** zlib's own default: level 9 takes twice the time for 0.4 % less. */
const defaultLevel = 6;

/**
 * Blocks of at most 4,096 symbols, so that their codes follow the content sooner: with zlib's own 8 layers of Debian come out 0.5 % larger, for 5 % less time
 * at level 9. The hash table of Node's zlib does not shrink with it. `deflate-worker.js` has the same.
 */
const memLevel = 6;

/** How many buffers are worth compressing at a time: one for each core. */
export const deflateParallelism: number = availableParallelism();

const threads: DeflateThread[] = [];
let broken = false;

/**
 * The deflate data (RFC 1951) and the CRC-32 of these bytes joined, made in a thread of its own. Any number may be asked for at
 * once; the caller bounds the memory. The result is that of the platform's zlib and depends on nothing but the bytes and the level.
 *
 * Threads of our own, since libuv's also read the files that the input comes from: a read would wait behind every job.
 */
export function deflateRaw(parts: readonly Uint8Array[], level: number = defaultLevel): Promise<Deflated> {
  if (broken) return deflateInPool(parts, level);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  return new Promise((resolve) => leastLoaded().run({ parts, bytes, level, resolve, retry: () => resolve(deflateInPool(parts, level)) }));
}

function leastLoaded(): DeflateThread {
  const idle = threads.find((thread) => thread.load === 0);
  if (idle !== undefined) return idle;
  if (threads.length < deflateParallelism) {
    const thread = new DeflateThread((error) => {
      broken = true;
      warnOfThread('compresses', error);
    });
    threads.push(thread);
    return thread;
  }
  return threads.reduce((least, thread) => (thread.load < least.load ? thread : least));
}

/** Jobs that zlib's pool has at the moment, and those that wait for it. */
let inPool = 0;
const forPool: (() => void)[] = [];

/** Without threads of our own: zlib's asynchronous call, for as many jobs at a time as there are cores, since each that is under way has 268 KB and its output. */
async function deflateInPool(parts: readonly Uint8Array[], level: number): Promise<Deflated> {
  if (inPool >= deflateParallelism) await new Promise<void>((resolve) => forPool.push(resolve));
  else inPool += 1;
  try {
    return await deflateOne(parts, level);
  } finally {
    // The place is handed on, so that nobody gets in between.
    const next = forPool.shift();
    if (next === undefined) inPool -= 1;
    else next();
  }
}

function deflateOne(parts: readonly Uint8Array[], level: number): Promise<Deflated> {
  const input = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  return new Promise((resolve, reject) => {
    zlib().deflateRaw(input, { level, memLevel }, (error, data) => {
      if (error === null) resolve({ data, crc: zlib().crc32(input) });
      else reject(error);
    });
  });
}
