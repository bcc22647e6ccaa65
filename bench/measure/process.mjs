import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const GNU_TIME = '/usr/bin/time'
const hasGnuTime = spawnSync(GNU_TIME, ['--version']).status === 0

/** How peak memory is taken on this machine, for the report. */
export const memoryMethod = hasGnuTime
  ? 'ru_maxrss by GNU time'
  : process.platform === 'linux'
    ? 'VmHWM, read every 5 ms'
    : 'not measured here'

/** The highest resident size of a process so far, in bytes; undefined once it is gone, or off Linux. */
export function highWater(pid) {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return line ? Number(line[1]) * 1024 : undefined
  } catch {
    return undefined
  }
}

/** What GNU time wrote: peak in KiB, user and system seconds. */
function gnuTimes(file) {
  const [peak, user, system] = readFileSync(file, 'utf8').trim().split('\n').at(-1).split(' ').map(Number)
  rmSync(file)
  return { peak: peak * 1024, cpu: user + system }
}

function run(command, args, options, onStart) {
  return new Promise((resolve) => {
    const start = performance.now()
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    let seconds = 0
    let failure
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr = (stderr + text).slice(-4096)))
    child.on('error', (error) => {
      failure = error.message
    })
    child.on('exit', () => {
      seconds = (performance.now() - start) / 1000
    })
    child.on('close', (status, signal) => resolve({ seconds, status, stderr: failure ?? stderr.trim(), signal }))
    if (child.pid !== undefined) onStart?.(child.pid)
  })
}

/**
 * Runs one process to its end.
 * @param {{ command: string, args: string[] }} task
 * @param {{ env: NodeJS.ProcessEnv, scratch: string }} options scratch: a directory for GNU time's note
 * @returns {Promise<{ seconds: number, cpu?: number, peak?: number, status: number | null, stderr: string }>}
 *   wall-clock and processor seconds; peak resident memory in bytes
 */
export async function measure({ command, args }, { env, scratch }) {
  if (hasGnuTime) {
    const note = join(scratch, 'time')
    const result = await run(GNU_TIME, ['-q', '-f', '%M %U %S', '-o', note, command, ...args], { env })
    return { ...result, ...gnuTimes(note) }
  }
  let peak
  let timer
  const result = await run(command, args, { env }, (pid) => {
    timer = setInterval(() => (peak = highWater(pid) ?? peak), 5)
  })
  clearInterval(timer)
  return { ...result, peak }
}

/** Wall-clock only, with nothing between: for processes that live for milliseconds. */
export const measureStart = ({ command, args }, { env }) => run(command, args, { env })
