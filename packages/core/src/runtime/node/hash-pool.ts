import { availableParallelism } from 'node:os';
import { OciTarError } from '../../errors.ts';
import type { Digester, HashAlgorithm } from '../digester.ts';
import { workerThreads } from './builtins.ts';

/** How far a digester may fall behind before its caller waits: memory is bounded by this for each digester. */
const maxBehind = 2 * 1024 * 1024;

interface Reply {
  readonly id: number;
  readonly taken?: number;
  readonly buffer?: ArrayBuffer;
  readonly hex?: string;
}

/** Memory that has come back from the threads, to be filled again. */
const spares: ArrayBuffer[] = [];
const mostSpares = 8;
const spareSize = 1024 * 1024;

function spareOf(size: number): ArrayBuffer {
  const spare = size <= spareSize ? spares.pop() : undefined;
  return spare ?? new ArrayBuffer(Math.max(size, spareSize));
}

class HashThread {
  readonly #worker = new (workerThreads().Worker)(new URL('./hash-worker.js', import.meta.url));
  readonly #digesters = new Map<number, ThreadDigester>();

  constructor() {
    // A thread that has nothing to do must not keep the process alive.
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => {
      if (reply.buffer !== undefined && reply.buffer.byteLength === spareSize && spares.length < mostSpares) spares.push(reply.buffer);
      this.#digesters.get(reply.id)?.receive(reply);
    });
    this.#worker.on('error', (error) => {
      // What the thread had taken is lost with it; from now on nothing is sent to one again.
      broken = true;
      for (const digester of this.#digesters.values()) digester.fail(error);
    });
  }

  get load(): number {
    return this.#digesters.size;
  }

  open(id: number, algorithm: HashAlgorithm): ThreadDigester {
    const digester = new ThreadDigester(id, (request) => this.#post(id, request));
    this.#digesters.set(id, digester);
    this.#worker.ref();
    this.#worker.postMessage({ id, op: 'open', algorithm });
    return digester;
  }

  #post(id: number, request: Request): void {
    if (request !== 'closed') this.#worker.postMessage({ id, ...request }, 'buffer' in request ? [request.buffer] : []);
    if (request === 'closed' || request.op === 'drop') {
      this.#digesters.delete(id);
      if (this.#digesters.size === 0) this.#worker.unref();
    }
  }
}

type Request = { op: 'update'; buffer: ArrayBuffer; length: number } | { op: 'hex' | 'drop' } | 'closed';
type Post = (request: Request) => void;

class ThreadDigester implements Digester {
  readonly id: number;
  readonly #post: Post;
  #behind = 0;
  #closed = false;
  #error: unknown;
  #waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #result: { resolve: (hex: string) => void; reject: (error: unknown) => void } | undefined;

  constructor(id: number, post: Post) {
    this.id = id;
    this.#post = post;
  }

  update(chunk: Uint8Array): Promise<void> | void {
    if (this.#error !== undefined) throw this.#error;
    this.#behind += chunk.byteLength;
    // A copy, since the chunk stays its reader's; handed over and back without another.
    const buffer = spareOf(chunk.byteLength);
    new Uint8Array(buffer).set(chunk);
    this.#post({ op: 'update', buffer, length: chunk.byteLength });
    if (this.#behind <= maxBehind) return;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  hex(): Promise<string> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#result = { resolve, reject };
      this.#post({ op: 'hex' });
    });
  }

  dispose(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    this.#post({ op: 'drop' });
    // No more replies come: whoever waits for the digest is told.
    this.fail(new OciTarError('CONFLICT', 'the digest was given up before it was complete'));
  }

  receive(reply: Reply): void {
    if (reply.hex !== undefined) {
      this.#closed = true;
      this.#post('closed');
      this.#result?.resolve(reply.hex);
      return;
    }
    this.#behind -= reply.taken ?? 0;
    if (this.#behind > maxBehind / 2) return;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  fail(error: unknown): void {
    this.#error = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#result?.reject(error);
  }
}

const threads: HashThread[] = [];
let nextId = 0;
let broken = false;

/** A digester on the least loaded of as many threads as there are cores; undefined where threads turned out not to work. */
export function threadDigester(algorithm: HashAlgorithm): Digester | undefined {
  if (broken) return undefined;
  let thread = threads.find((candidate) => candidate.load === 0);
  if (thread === undefined && threads.length < availableParallelism()) {
    thread = new HashThread();
    threads.push(thread);
  }
  thread ??= threads.reduce((least, candidate) => (candidate.load < least.load ? candidate : least));
  return thread.open(nextId++, algorithm);
}
