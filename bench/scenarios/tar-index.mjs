import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomBytes, randomNumbers } from '../inputs/random.mjs'
import { tarOf } from '../inputs/tar.mjs'
import { rounds } from '../measure/rounds.mjs'
import { atMost, flat } from './reaches.mjs'

const DEFAULT_RUNS = 5
const HEADERS = 100_000
const SCRIPT = fileURLToPath(new URL('../index-tar.mjs', import.meta.url))

function archiveOf({ work, log }) {
  const path = join(work, 'inputs', 'headers-100000.tar')
  if (existsSync(path)) return path
  log(`making the input headers-100000.tar (once; kept as ${path})`)
  mkdirSync(dirname(path), { recursive: true })
  const number = randomNumbers(61)
  const files = Array.from({ length: HEADERS }, (_, i) => ({ name: `usr/share/directory-${Math.floor(i / 100)}/file-${i}.txt`, size: number() % 4000 }))
  const file = openSync(`${path}.part`, 'w')
  for (const piece of tarOf(files, randomBytes(62))) writeSync(file, piece)
  closeSync(file)
  renameSync(`${path}.part`, path)
  return path
}

/** The headers of an archive at rest: ours beside GNU tar's list, and the half second that it may take. */
export async function tarIndex(context) {
  const archive = archiveOf(context)
  const options = { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [archive] }
  const tasks = [
    { name: 'oci-tar', command: process.execPath, args: [SCRIPT, archive], outputs: [], check: () => checkCount(archive) },
    { name: 'GNU tar -tv', command: 'tar', args: ['-tvf', archive], outputs: [] },
  ]
  const bound = { name: 'half a second', median: 0.5, min: 0.5, max: 0.5, runs: 0 }
  const rows = [...(await rounds(tasks, options)), bound]
  return [{ title: `tar-index: ${HEADERS.toLocaleString('en')} headers of a file, the start of Node included`, rows, reaches: [atMost('oci-tar', bound.name, 1), flat('oci-tar', 150)] }]
}

function checkCount(archive) {
  const { stdout } = spawnSync(process.execPath, [SCRIPT, archive], { encoding: 'utf8' })
  if (Number(stdout) !== HEADERS) throw new Error(`${stdout.trim()} entries, not ${HEADERS}`)
}
