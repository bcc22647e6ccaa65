import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { memoryMethod } from '../measure/process.mjs'

function shaFlags() {
  try {
    const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' ') ?? []
    return flags.includes('sha_ni') || flags.includes('sha2') ? 'with SHA instructions' : 'without SHA instructions'
  } catch {
    return 'SHA instructions not known'
  }
}

/** The machine and the conditions, as far as they bear on the figures. */
export function machine({ shaInstructions }) {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    sha: shaFlags() + (shaInstructions ? '' : '; hidden from Node (--no-sha-ni)'),
    memory: `${(totalmem() / 2 ** 30).toFixed(0)} GiB`,
    system: `${type()} ${release()}`,
    node: process.version,
    date: new Date().toISOString(),
    load: loadavg().map((load) => Number(load.toFixed(2))),
    peakMemory: memoryMethod,
  }
}
