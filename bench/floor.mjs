// The floor: what copying an image's bytes and taking every blob's sha256 costs
// at the least in Node. No tar, no JSON, no names: blob files in, bytes out.
//
//   node floor.mjs export LAYOUT FILE [--no-sync]    all blobs into one file, synced at the end
//   node floor.mjs import LAYOUT DIRECTORY [--no-sync]   each blob into its own file, each synced
//
// Two threads take the blobs largest first; each reads, digests and writes what it took.
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const THREADS = 2
// Fits the second-level cache, so that the digest finds what the read left there.
const PIECE = 256 * 1024

function copyBlob({ path, name, offset }, job, buffer) {
  const source = openSync(path, 'r')
  const target = job.output ?? openSync(join(job.directory, name), 'wx')
  const hash = createHash('sha256')
  let at = job.output === undefined ? 0 : offset
  for (let read = readSync(source, buffer); read > 0; read = readSync(source, buffer)) {
    const bytes = buffer.subarray(0, read)
    hash.update(bytes)
    writeSync(target, bytes, 0, read, at)
    at += read
  }
  closeSync(source)
  if (job.output === undefined) {
    if (job.sync) fsyncSync(target)
    closeSync(target)
  }
  if (hash.digest('hex') !== name) throw new Error(`${path}: digest differs from its name`)
}

function work(job) {
  const buffer = Buffer.allocUnsafeSlow(PIECE)
  const next = new Int32Array(job.next)
  for (let i = Atomics.add(next, 0, 1); i < job.blobs.length; i = Atomics.add(next, 0, 1)) {
    copyBlob(job.blobs[i], job, buffer)
  }
}

function blobsOf(layout) {
  const directory = join(layout, 'blobs/sha256')
  let offset = 0
  return readdirSync(directory)
    .map((name) => ({ name, path: join(directory, name), size: statSync(join(directory, name)).size }))
    .toSorted((a, b) => b.size - a.size)
    .map((blob) => ({ ...blob, offset: (offset += blob.size) - blob.size }))
}

async function main([operation, layout, target, option]) {
  const job = { blobs: blobsOf(layout), sync: option !== '--no-sync', next: new SharedArrayBuffer(4) }
  if (operation === 'export') job.output = openSync(target, 'wx')
  else mkdirSync((job.directory = target))
  const exits = Array.from({ length: THREADS - 1 }, () => once(new Worker(new URL(import.meta.url), { workerData: job }), 'exit'))
  work(job)
  for (const [status] of await Promise.all(exits)) if (status !== 0) process.exitCode = status
  const last = job.output ?? openSync(target, 'r')
  if (job.sync) fsyncSync(last)
}

if (isMainThread) await main(process.argv.slice(2))
else work(workerData)
