import { availableParallelism } from 'node:os';
import type { DeflateOptions, Deflated, Room } from '../engines.ts';
import { BatchThreads } from './batch-threads.ts';
import { zlib } from './builtins.ts';
import type { SharedPiece } from './shared-arena.ts';

/** zlib's own default. */
const defaultLevel = 6;

/**
 * Levels 8 and 9 search as 7 does: they would take 1.6 and 2.6 times as long, for 0.13 and 0.16 % less of the members of a Debian layer. With the smaller blocks that
 * is still 0.4 % less than zlib's own level 9; for texts and scripts it is 0.2 % more.
 */
const highestLevel = 7;

/**
 * Blocks of at most 4,096 symbols, so that their codes follow the content sooner: with zlib's own 8 layers of Debian come out 0.5 % larger, for 5 % less time
 * at level 9. The hash table of Node's zlib does not shrink with it.
 */
const memLevel = 6;

/**
 * Where only size counts, the level is taken at its word and blocks of half and twice that size are tried, too: some members come out smaller, 0.2 % of all. Level 3
 * tells as well as level 9 which (to 0.01 %), in a fifth of the time.
 */
const memLevelsTried: readonly number[] = [memLevel, memLevel - 1, memLevel + 1];
const trialLevel = 3;

/** How many buffers are worth compressing at a time: one for each core. */
export const deflateParallelism: number = availableParallelism();

/** What one message carries at least, if so much is waiting: a message costs 20 µs and more on each side, a small member 200. */
const batchSize = 256 * 1024;
const mostJobs = 1000;

/** What is to be made of so many bytes. Of several memory levels the one that gives the least. */
interface JobOrder {
  readonly length: number;
  readonly level: number;
  readonly memLevels: readonly number[];
  /** The level at which they are tried. */
  readonly trialLevel: number;
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
 * The deflate data (RFC 1951) and the CRC-32 of these bytes joined, made in a thread of its own; with room for a header and a trailer around it. Any number may be
 * asked for at once; the caller bounds the memory. The result is that of the platform's zlib and depends on nothing but the bytes and the options. The bytes are copied
 * before this returns: held until a thread takes them, the runs they came in would grow old, and old memory is collected only with all the rest.
 */
export function deflateRaw(parts: readonly Uint8Array[], options: DeflateOptions = {}): Promise<Deflated> {
  const { level = defaultLevel, smallest = false, room = noRoom } = options;
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return new Promise((resolve) => {
    const { input, jobs, used } = fillingFor(length);
    let at = used;
    for (const part of parts) {
      input.bytes.set(part, at);
      at += part.length;
    }
    const how = smallest ? { level, memLevels: memLevelsTried } : { level: Math.min(level, highestLevel), memLevels: [memLevel] };
    jobs.push({ order: { ...how, trialLevel, length, room }, resolve });
    filling = { input, jobs, used: at };
    if (threads.hasRoom || at >= batchSize || jobs.length === mostJobs) send();
  });
}

const noRoom: Room = { before: 0, after: 0 };

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
  const outputSize = order.reduce((sum, { length, room }) => sum + room.before + longest(length) + room.after, 0);
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
      if (done === undefined) withoutThreads(jobs, input.bytes.subarray(0, used));
    });
}

/** What deflate makes of so many bytes at the worst: stored blocks, each with 5 bytes for 4,095 or so. */
function longest(length: number): number {
  return length + Math.ceil(length / 512) + 64;
}

function withoutThreads(jobs: readonly Job[], bytes: Uint8Array): void {
  let at = 0;
  for (const { order, resolve } of jobs) {
    resolve(deflateInPool(bytes.subarray(at, at + order.length), order));
    at += order.length;
  }
}

/** Jobs that zlib's pool has at the moment, and those that wait for it. */
let inPool = 0;
const forPool: (() => void)[] = [];

/** Without threads of our own: zlib's asynchronous call, for as many jobs at a time as there are cores, since each that is under way has 268 KB and its output. */
async function deflateInPool(input: Uint8Array, { level, memLevels, trialLevel, room }: JobOrder): Promise<Deflated> {
  if (inPool >= deflateParallelism) await new Promise<void>((resolve) => forPool.push(resolve));
  else inPool += 1;
  try {
    let best = memLevels[0] ?? memLevel;
    let least = Infinity;
    for (const tried of memLevels.length > 1 ? memLevels : []) {
      const { length: size } = await deflateOne(input, { level: trialLevel, memLevel: tried });
      if (size < least) [best, least] = [tried, size];
    }
    const raw = await deflateOne(input, { level, memLevel: best });
    const data = new Uint8Array(room.before + raw.length + room.after);
    data.set(raw, room.before);
    return { data, crc: zlib().crc32(input) };
  } finally {
    // The place is handed on, so that nobody gets in between.
    const next = forPool.shift();
    if (next === undefined) inPool -= 1;
    else next();
  }
}

function deflateOne(input: Uint8Array, options: { readonly level: number; readonly memLevel: number }): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    zlib().deflateRaw(input, options, (error, data) => (error === null ? resolve(data) : reject(error)));
  });
}
