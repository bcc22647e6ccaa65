/**
 * Modules of Node that take 1.3 ms each to load and that most commands do without, loaded when they are first used.
 * `process.getBuiltinModule` is in Node since 20.16.
 */
export function zlib(): typeof import('node:zlib') {
  return process.getBuiltinModule('node:zlib');
}

export function workerThreads(): typeof import('node:worker_threads') {
  return process.getBuiltinModule('node:worker_threads');
}
