import type * as Crypto from 'node:crypto';
import type * as WorkerThreads from 'node:worker_threads';
import type * as Zlib from 'node:zlib';

/**
 * Modules of Node without an import: those that most commands do without are loaded when they are first used (1.3 ms each), and
 * an import of node:crypto would load all of WebCrypto with it. `process.getBuiltinModule` is in Node since 20.16.
 */
export function zlib(): typeof Zlib {
  return process.getBuiltinModule('node:zlib');
}

export function workerThreads(): typeof WorkerThreads {
  return process.getBuiltinModule('node:worker_threads');
}

export function nodeCrypto(): typeof Crypto {
  return process.getBuiltinModule('node:crypto');
}

/** So many random bytes in hex. */
export function randomHex(bytes: number): string {
  return nodeCrypto().randomBytes(bytes).toString('hex');
}
