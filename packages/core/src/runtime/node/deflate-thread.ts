import type { Deflated } from '../engines.ts';
import { workerThreads } from './builtins.ts';

export interface DeflateJob {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  readonly level: number;
  readonly resolve: (deflated: Deflated) => void;
  /** The thread failed; the job is to be done without it. */
  readonly retry: () => void;
}

/** What one message carries at least, if so much is waiting: a message costs 20 µs and more on each side, a small member 200. */
const batchSize = 256 * 1024;
const mostJobs = 1000;
/** Memory of a lane that is kept for the next batch. */
const keptSize = 16 * 1024 * 1024;

interface Reply {
  readonly lane: number;
  readonly results: readonly { readonly length: number; readonly crc: number }[];
}

/** Shared memory for one batch: one is filled while the other is worked on. Handing buffers over would cost more than copying them. */
interface Lane {
  readonly number: number;
  memory: { readonly input: Uint8Array; readonly output: Uint8Array } | undefined;
  jobs: readonly DeflateJob[] | undefined;
}

export class DeflateThread {
  readonly #worker = new (workerThreads().Worker)(new URL('./deflate-worker.js', import.meta.url));
  readonly #lanes: readonly Lane[] = [0, 1].map((number) => ({ number, memory: undefined, jobs: undefined }));
  readonly #waiting: DeflateJob[] = [];
  #load = 0;

  /** `onBroken` is called with the reason when threads turn out not to work here. */
  constructor(onBroken: (error: unknown) => void) {
    // A thread that has nothing to do must not keep the process alive.
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#receive(reply));
    this.#worker.on('error', (error) => {
      onBroken(error);
      const jobs = [...this.#lanes.flatMap((lane) => lane.jobs ?? []), ...this.#waiting.splice(0)];
      for (const lane of this.#lanes) lane.jobs = undefined;
      for (const job of jobs) job.retry();
    });
  }

  /** Bytes that wait or are worked on. */
  get load(): number {
    return this.#load;
  }

  run(job: DeflateJob): void {
    // One byte each, so that a thread with empty jobs is not idle either.
    this.#load += job.bytes + 1;
    this.#waiting.push(job);
    this.#worker.ref();
    this.#send();
  }

  #send(): void {
    for (const lane of this.#lanes) {
      if (lane.jobs !== undefined || this.#waiting.length === 0) continue;
      let bytes = 0;
      const until = this.#waiting.findIndex((job, index) => (bytes += job.bytes) >= batchSize || index + 1 === mostJobs);
      const jobs = this.#waiting.splice(0, until < 0 ? this.#waiting.length : until + 1);
      lane.jobs = jobs;
      const fresh = lane.memory === undefined || lane.memory.input.length < bytes;
      if (lane.memory === undefined || fresh) lane.memory = memoryFor(bytes);
      let at = 0;
      for (const part of jobs.flatMap((job) => job.parts)) {
        lane.memory.input.set(part, at);
        at += part.length;
      }
      const orders = jobs.map((job) => ({ level: job.level, length: job.bytes }));
      this.#worker.postMessage({ lane: lane.number, jobs: orders, ...(fresh && { memory: lane.memory }) });
    }
  }

  #receive({ lane: number, results }: Reply): void {
    const lane = this.#lanes[number];
    if (lane?.jobs === undefined || lane.memory === undefined) return;
    const size = results.reduce((sum, result) => sum + result.length, 0);
    // Out of the shared memory, which the next batch overwrites.
    const output = lane.memory.output.slice(0, size);
    const { jobs } = lane;
    lane.jobs = undefined;
    if (lane.memory.input.length > keptSize) lane.memory = undefined;
    let at = 0;
    for (const [index, job] of jobs.entries()) {
      const { length, crc } = results[index] ?? { length: 0, crc: 0 };
      this.#load -= job.bytes + 1;
      job.resolve({ data: output.subarray(at, at + length), crc });
      at += length;
    }
    this.#send();
    if (this.#load === 0) this.#worker.unref();
  }
}

/** Room for so many bytes, and for what deflate makes of them at the worst: stored blocks, 5 bytes for each 16 KiB, and 64 for each job. */
function memoryFor(bytes: number): { readonly input: Uint8Array; readonly output: Uint8Array } {
  const size = Math.max(bytes, 2 * batchSize);
  const worst = size + Math.ceil(size / 1000) + 64 * 1024;
  return { input: sharedBytes(size), output: sharedBytes(worst) };
}

function sharedBytes(size: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(size));
}
