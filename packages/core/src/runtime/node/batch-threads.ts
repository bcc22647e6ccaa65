import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { workerThreads } from './builtins.ts';
import { SharedArena } from './shared-arena.ts';
import type { SharedPiece } from './shared-arena.ts';
import { warnOfThread } from './thread-warning.ts';

/** Batches that a thread has at a time: the one it works on, and one that it finds when it is done. */
const batchesOfEach = 2;
/** For each thread: batches of large members as well as what waits for them. Only what is used of it becomes real memory. */
const memoryOfEach = 16 * 1024 * 1024;

/** Asked once: it is a system call of 3 µs, and whether there is room is asked for every small member. */
const mostThreads = availableParallelism();

/** One message: what is to be done with these bytes. */
export interface Batch<Order> {
  readonly order: Order;
  readonly input: SharedPiece;
  /** Bytes that the thread may write. */
  readonly outputSize: number;
}

interface Running<Order, Result> extends Batch<Order> {
  readonly receive: (result: Result, output: Uint8Array) => void;
  readonly giveUp: () => void;
  output?: SharedPiece;
}

interface Thread<Order, Result> {
  readonly worker: Worker;
  readonly running: Map<number, Running<Order, Result>>;
}

/** As many threads as there are cores, which take batches as they get to them. The threads start with the first batch, or with `start`. */
export class BatchThreads<Order, Result> {
  readonly #script: URL;
  readonly #task: string;
  readonly #onRoom: () => void;
  readonly #threads: Thread<Order, Result>[] = [];
  readonly #waiting: Running<Order, Result>[] = [];
  #arena: SharedArena | undefined;
  #nextId = 0;
  #broken = false;

  /** `task` completes "a thread that …" in a warning; `onRoom` is called when a thread could take another batch. */
  constructor(script: URL, task: string, onRoom: () => void = () => {}) {
    this.#script = script;
    this.#task = task;
    this.#onRoom = onRoom;
  }

  /** Threads turned out not to work here. */
  get broken(): boolean {
    return this.#broken;
  }

  /** A batch would be with a thread at once. */
  get hasRoom(): boolean {
    return this.#threads.length < mostThreads || this.#threads.some(({ running }) => running.size < batchesOfEach);
  }

  get arena(): SharedArena {
    return (this.#arena ??= new SharedArena(mostThreads * memoryOfEach));
  }

  /** Starts all threads, which takes each 40 ms on a core that has nothing else to do. */
  start(): void {
    while (!this.#broken && this.#threads.length < mostThreads) this.#startThread();
  }

  /**
   * Gives a batch to a thread. `receive` is told what came of it; the output is its only until it returns. Undefined where threads do not work. The input is as it was, and
   * the caller's to give back.
   */
  run<T>(batch: Batch<Order>, receive: (result: Result, output: Uint8Array) => T): Promise<T | undefined> {
    if (this.#broken) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push({ ...batch, receive: (result, output) => resolve(receive(result, output)), giveUp: () => resolve(undefined) });
      this.#send();
    });
  }

  #send(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#freeThread();
      const batch = thread === undefined ? undefined : this.#waiting.shift();
      if (thread === undefined || batch === undefined) return;
      batch.output = this.arena.take(batch.outputSize);
      const id = this.#nextId++;
      thread.running.set(id, batch);
      thread.worker.ref();
      thread.worker.postMessage({ id, order: batch.order, input: messageOf(batch.input), output: messageOf(batch.output) });
    }
  }

  #freeThread(): Thread<Order, Result> | undefined {
    const idle = this.#threads.find(({ running }) => running.size === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < mostThreads) return this.#startThread();
    return this.#threads.find(({ running }) => running.size < batchesOfEach);
  }

  #startThread(): Thread<Order, Result> | undefined {
    let worker: Worker;
    try {
      worker = new (workerThreads().Worker)(this.#script, { workerData: { memory: this.arena.memory } });
    } catch (error) {
      // A process may be forbidden to have threads.
      this.#breakDown(error);
      return undefined;
    }
    const thread: Thread<Order, Result> = { worker, running: new Map() };
    // A thread that has nothing to do must not keep the process alive.
    worker.unref();
    worker.on('message', ({ id, result }: { readonly id: number; readonly result: Result }) => this.#receive(thread, id, result));
    worker.on('error', (error) => this.#breakDown(error));
    this.#threads.push(thread);
    return thread;
  }

  #receive({ worker, running }: Thread<Order, Result>, id: number, result: Result): void {
    const batch = running.get(id);
    running.delete(id);
    if (batch === undefined || this.#broken) return;
    // The next one is on its way before this one is looked at.
    this.#send();
    if (this.hasRoom) this.#onRoom();
    if (running.size === 0) worker.unref();
    batch.receive(result, batch.output?.bytes ?? new Uint8Array(0));
    if (batch.output !== undefined) this.arena.give(batch.output);
  }

  #breakDown(error: unknown): void {
    this.#broken = true;
    warnOfThread(this.#task, error);
    const batches = [...this.#threads.flatMap(({ running }) => [...running.values()]), ...this.#waiting.splice(0)];
    for (const { worker, running } of this.#threads) {
      running.clear();
      worker.unref();
    }
    for (const batch of batches) batch.giveUp();
    // What waits for a thread to have room would wait for ever.
    this.#onRoom();
  }
}

/** How the worker finds it: in the arena, which it has, or in memory of its own. */
function messageOf({ bytes, start }: SharedPiece): { readonly start: number; readonly length: number; readonly memory?: SharedArrayBuffer } {
  return { start: start ?? 0, length: bytes.length, ...(start === undefined && { memory: bytes.buffer }) };
}
