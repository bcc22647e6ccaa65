import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { measure } from './process.mjs'
import { summary } from './statistics.mjs'

/** Reads a file, or every file below a directory, so that it lies in the page cache. */
function warm(path) {
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path)) warm(join(path, name))
    return
  }
  const buffer = Buffer.allocUnsafe(1 << 20)
  const file = openSync(path, 'r')
  while (readSync(file, buffer) > 0);
  closeSync(file)
}

/** As much as the largest output of the usual scenarios. */
const MEMORY = 512 * 2 ** 20

/**
 * Has the system hold free memory: a virtual machine gives what is free for a while back to its host, and whoever runs
 * first after that waits until it has it again, up to 0.8 s for 450 MB.
 */
function holdMemory(folder) {
  const path = join(folder, 'memory')
  const file = openSync(path, 'w')
  const piece = Buffer.alloc(1 << 20)
  for (let size = 0; size < MEMORY; size += piece.length) writeSync(file, piece)
  closeSync(file)
  // Never written to the disk, since it goes at once.
  rmSync(path)
}

async function once(task, { env, scratch, inputs, measurer }) {
  for (const output of task.outputs) rmSync(output, { recursive: true, force: true })
  await task.before?.()
  // One tool's dirty pages must not be written out on the next one's time.
  spawnSync('sync')
  for (const input of inputs) warm(input)
  holdMemory(scratch)
  task.resetPeak?.()
  const result = await measurer(task, { env, scratch })
  return { ...result, servicePeak: task.servicePeak?.() }
}

/**
 * Runs all tasks in turn, round by round, so that a busy spell of the machine
 * hits all alike. A first round is not counted: it faults in the memory that
 * the page cache will use and, once per task, checks what came out.
 *
 * A task that fails is dropped, its row says why.
 *
 * @param {{ name: string, command: string, args: string[], outputs: string[], before?: () => unknown, check?: () => unknown }[]} tasks
 *   `check` throws when the output is not what it must be
 * @param {{ runs: number, env: NodeJS.ProcessEnv, scratch: string, inputs?: string[], keep?: boolean, log: (line: string) => void }} options
 *   inputs: what to hold in the page cache; keep: leave the last outputs
 */
export async function rounds(tasks, { runs, env, scratch, inputs = [], keep = false, warmUp = true, measurer = measure, log }) {
  const rows = tasks.map((task) => ({ task, name: task.name, results: [], failed: undefined }))
  for (let round = warmUp ? 0 : 1; round <= runs; round += 1) {
    for (const row of rows) {
      if (row.failed !== undefined) continue
      const result = await once(row.task, { env, scratch, inputs, measurer })
      try {
        if (result.status !== 0) throw new Error(`exit status ${result.status ?? result.signal}: ${result.stderr}`)
        if (round <= 1 && row.checked === undefined) row.checked = (await row.task.check?.()) ?? true
        if (round > 0) row.results.push(result)
      } catch (error) {
        row.failed = error.message.slice(-300)
        log(`  ${row.name} failed: ${row.failed}`)
      }
      if (!keep) for (const output of row.task.outputs) rmSync(output, { recursive: true, force: true })
    }
  }
  return rows.map(({ name, results, failed }) => {
    if (failed !== undefined) return { name, failed }
    const services = results.map((result) => result.servicePeak).filter((peak) => peak !== undefined)
    return { name, ...summary(results), servicePeak: services.length > 0 ? Math.max(...services) : undefined }
  })
}
