import { availableParallelism } from 'node:os';
import type { DigestedPart, MemberToDigest } from '../engines.ts';
import { workerThreads } from './builtins.ts';
import { warnOfThread } from './thread-warning.ts';

/** How many batches are worth having under way: one that each core works on and one that it finds waiting. */
export const memberParallelism: number = 2 * availableParallelism();

/** Memory that comes back from the threads, to be filled again. */
const spareSize = 512 * 1024;
const mostSpares = memberParallelism + 1;
const spares: ArrayBuffer[] = [];

type Digested = readonly (readonly DigestedPart[] | undefined)[];

interface Reply {
  readonly id: number;
  readonly memory: ArrayBuffer;
  readonly digested: Digested;
}

class MemberThread {
  readonly #worker = new (workerThreads().Worker)(new URL('./member-worker.js', import.meta.url));
  readonly #running = new Map<number, (digested: Digested | undefined) => void>();

  constructor() {
    // A thread that has nothing to do must not keep the process alive.
    this.#worker.unref();
    this.#worker.on('message', ({ id, memory, digested }: Reply) => {
      if (memory.byteLength === spareSize && spares.length < mostSpares) spares.push(memory);
      this.#running.get(id)?.(digested);
      this.#running.delete(id);
      if (this.#running.size === 0) this.#worker.unref();
    });
    this.#worker.on('error', (error) => {
      broken = true;
      warnOfThread('verifies', error);
      for (const resolve of this.#running.values()) resolve(undefined);
      this.#running.clear();
    });
  }

  get load(): number {
    return this.#running.size;
  }

  run(id: number, members: readonly MemberToDigest[]): Promise<Digested | undefined> {
    const size = members.reduce((sum, { data }) => sum + data.length, 0);
    const memory = (size <= spareSize ? spares.pop() : undefined) ?? new ArrayBuffer(Math.max(size, spareSize));
    const filled = new Uint8Array(memory);
    let at = 0;
    const places = members.map(({ data, limit, parts }) => {
      const start = at;
      filled.set(data, start);
      at += data.length;
      return { start, end: at, limit, parts };
    });
    this.#worker.ref();
    return new Promise((resolve) => {
      this.#running.set(id, resolve);
      this.#worker.postMessage({ id, memory, members: places }, [memory]);
    });
  }
}

const threads: MemberThread[] = [];
let nextId = 0;
let broken = false;

/**
 * Inflates members in a thread of its own and digests (SHA-256) the parts that are asked for; undefined for a member that is incomplete, damaged or
 * larger than its limit, and for all of them where threads do not work. The caller bounds how many batches are under way.
 */
export async function digestMembers(members: readonly MemberToDigest[]): Promise<Digested> {
  const digested = broken ? undefined : await leastLoaded().run(nextId++, members);
  return digested ?? members.map(() => undefined);
}

function leastLoaded(): MemberThread {
  const idle = threads.find((thread) => thread.load === 0);
  if (idle !== undefined) return idle;
  if (threads.length < availableParallelism()) {
    const thread = new MemberThread();
    threads.push(thread);
    return thread;
  }
  return threads.reduce((least, thread) => (thread.load < least.load ? thread : least));
}
