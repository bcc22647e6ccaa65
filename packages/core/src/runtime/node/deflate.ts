import { availableParallelism } from 'node:os';
import { deflateHere } from '../deflate-here.ts';
import { longestDeflated } from '../deflater.js';
import type { Deflated, Room } from '../engines.ts';
import { BatchThreads } from './batch-threads.ts';
import { crc32 } from './gzip.ts';
import type { SharedPiece } from './shared-arena.ts';

/** How many buffers are worth compressing at a time: one for each core. */
export const deflateParallelism: number = availableParallelism();

/** What one message carries at least, if so much is waiting: a message costs 20 µs and more on each side, a small member 200. */
const batchSize = 256 * 1024;
const mostJobs = 1000;

/** What is to be made of so many bytes. */
interface JobOrder {
  readonly length: number;
  readonly level: number;
  readonly room: Room;
}

interface Job {
  readonly order: JobOrder;
  readonly resolve: (deflated: Deflated | Promise<Deflated>) => void;
}

/** Jobs whose bytes lie one behind the other, not with a thread yet. */
interface Filling {
  readonly input: SharedPiece;
  readonly jobs: Job[];
  used: number;
}

/** Of each job: the length of what lies in the output, room included, and the CRC-32 of what went in. */
type Result = readonly { readonly length: number; readonly crc: number }[];

/** Threads of our own, since libuv's also read the files that the input comes from: a read would wait behind every job. */
const threads = new BatchThreads<readonly JobOrder[], Result>(new URL('./deflate-worker.js', import.meta.url), 'compresses', () => send());
let filling: Filling | undefined;

/**
 * The deflate data (RFC 1951) of these bytes joined and their CRC-32, made in a thread of its own at a level of 1 to 9; with room around it. Any number may be asked for at
 * once; the caller bounds the memory. The bytes are copied before this returns: held until a thread takes them, the runs they came in would grow old, and old memory is
 * collected only with all the rest.
 */
export function deflateRaw(parts: readonly Uint8Array[], level: number, room: Room): Promise<Deflated> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return new Promise((resolve) => {
    const { input, jobs, used } = fillingFor(length);
    let at = used;
    for (const part of parts) {
      input.bytes.set(part, at);
      at += part.length;
    }
    jobs.push({ order: { length, level, room }, resolve });
    filling = { input, jobs, used: at };
    if (threads.hasRoom || at >= batchSize || jobs.length === mostJobs) send();
  });
}

function fillingFor(length: number): Filling {
  if (filling !== undefined && filling.input.bytes.length - filling.used < length) send();
  return filling ?? { input: threads.arena.take(Math.max(length, batchSize)), jobs: [], used: 0 };
}

/** What has been filled goes to a thread, as soon as there is one. */
function send(): void {
  if (filling === undefined) return;
  const { input, jobs, used } = filling;
  filling = undefined;
  const order = jobs.map((job) => job.order);
  const outputSize = order.reduce((sum, { length, room }) => sum + room.before + longestDeflated(length) + room.after, 0);
  void threads
    .run({ order, input, outputSize }, (results, output) => {
      const size = results.reduce((sum, result) => sum + result.length, 0);
      // Out of the shared memory, which the next batch overwrites.
      const copy = output.slice(0, size);
      let at = 0;
      for (const [index, { resolve }] of jobs.entries()) {
        const { length, crc } = results[index] ?? { length: 0, crc: 0 };
        resolve({ data: copy.subarray(at, at + length), crc });
        at += length;
      }
      threads.arena.give(input);
      return true;
    })
    .then((done) => {
      if (done !== undefined) return;
      withoutThreads(jobs, input.bytes.subarray(0, used));
      threads.arena.give(input);
    });
}

function withoutThreads(jobs: readonly Job[], bytes: Uint8Array): void {
  let at = 0;
  for (const { order, resolve } of jobs) {
    resolve(deflateHere(bytes.slice(at, at + order.length), order.level, order.room, crc32));
    at += order.length;
  }
}
