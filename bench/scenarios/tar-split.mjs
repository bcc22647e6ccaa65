import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomNumbers } from '../inputs/random.mjs'
import { tarOf } from '../inputs/tar.mjs'
import { randomText } from '../inputs/words.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { atMost, flat } from './reaches.mjs'

const DEFAULT_RUNS = 5
const FILES = 15_000
const MEAN = 16_500
const PROGRAM = fileURLToPath(new URL('../../test/interop/go/tar-split/main.go', import.meta.url))

/** 250 MB in 15,000 files of very different sizes, most of them small. */
function archiveOf({ work, log }) {
  const path = join(work, 'inputs', 'split.tar')
  if (existsSync(path)) return path
  log(`making the input split.tar (once; kept as ${path})`)
  mkdirSync(dirname(path), { recursive: true })
  const number = randomNumbers(71)
  const size = () => Math.floor((Math.log((number() + 1) / 2 ** 32) ** 2 * MEAN) / 2)
  const files = Array.from({ length: FILES }, (_, i) => ({ name: `usr/share/directory-${Math.floor(i / 50)}/file-${i}.txt`, size: size() }))
  const file = openSync(`${path}.part`, 'w')
  for (const piece of tarOf(files, randomText(72))) writeSync(file, piece)
  closeSync(file)
  renameSync(`${path}.part`, path)
  return path
}

/** Our Go program over upstream's library; undefined where Go or the library is not installed. */
function upstream({ work, log }) {
  const executable = join(work, 'inputs', 'tar-split-upstream')
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(work, 'inputs', 'go-cache') }
  const { status, error, stderr } = spawnSync('go', ['build', '-o', executable, PROGRAM], { encoding: 'utf8', env })
  if (status === 0) return executable
  log(`  upstream takes no part: ${error?.message ?? stderr.slice(-200)}`)
  return undefined
}

/** Taking a tar apart and putting it together beside upstream, both with their checksums and their metadata compressed. */
export async function tarSplit(context) {
  const archive = archiveOf(context)
  const program = upstream(context)
  const place = (name) => join(context.out, name)
  const ours = (name, args, outputs, check) => ({ name, command: process.execPath, args: [CLI, 'tar-split', ...args, '-q'], outputs, check })
  const theirs = (name, args, outputs) => (program === undefined ? [] : [{ name, command: program, args, outputs }])
  const fresh = (task, directory) => ({ ...task, before: () => mkdirSync(directory, { recursive: true }) })
  const options = { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [archive] }
  const metadataOnly = [
    ours("oci-tar, upstream's format", ['disassemble', archive, '--upstream', '--metadata', place('ours-up.gz')], [place('ours-up.gz')]),
    ours('oci-tar, own format', ['disassemble', archive, '--metadata', place('ours.gz')], [place('ours.gz')]),
    ...theirs('upstream', ['disasm', archive, place('theirs.gz')], [place('theirs.gz')]),
  ]
  const withPayloads = [
    ours("oci-tar, upstream's format", ['disassemble', archive, '--upstream', '--metadata', place('p-up.gz'), '--payloads', place('p-up')], [place('p-up.gz'), place('p-up')]),
    ours('oci-tar, own format', ['disassemble', archive, '--metadata', place('p.gz'), '--payloads', place('p')], [place('p.gz'), place('p')]),
    ...theirs('upstream', ['disasm', '-payloads', place('p-theirs'), archive, place('p-theirs.gz')], [place('p-theirs.gz'), place('p-theirs')]).map((task) => fresh(task, place('p-theirs'))),
  ]
  const reaches = (own) => [...(program === undefined ? [] : [atMost("oci-tar, upstream's format", 'upstream', 1), atMost('oci-tar, own format', 'upstream', own)]), flat('oci-tar, own format', 150)]
  const tables = [
    { title: 'tar-split: taking apart, metadata only', rows: await rounds(metadataOnly, options), reaches: reaches(2) },
    { title: 'tar-split: taking apart, with payloads', rows: await rounds(withPayloads, { ...options, keep: true }), reaches: reaches(1.5) },
  ]
  // Into /dev/null: ours would wait until a file is on the disk, upstream's does not.
  const together = [
    ours("oci-tar, upstream's format", ['assemble', '--metadata', place('p-up.gz'), '--payloads', place('p-up'), '/dev/null'], [], () => checkSame(archive, place)),
    ours('oci-tar, own format', ['assemble', '--metadata', place('p.gz'), '--payloads', place('p'), '/dev/null'], []),
    ...theirs('upstream', ['asm', place('p-theirs.gz'), place('p-theirs'), '/dev/null'], []),
  ]
  const inputs = [place('p-up'), place('p'), ...(program === undefined ? [] : [place('p-theirs')])]
  tables.push({ title: 'tar-split: putting together', rows: await rounds(together, { ...options, inputs }), reaches: reaches(1.5) })
  for (const path of [...inputs, place('p-up.gz'), place('p.gz'), place('p-theirs.gz')]) rmSync(path, { recursive: true, force: true })
  return tables.map((table) => ({ ...table, note: "Own format: sha256 of each file and of the whole. Upstream's: CRC-64 of each file." }))
}

function checkSame(archive, place) {
  for (const name of ['p', 'p-up']) {
    const output = place('again.tar')
    spawnSync(process.execPath, [CLI, 'tar-split', 'assemble', '--metadata', place(`${name}.gz`), '--payloads', place(name), output])
    const { status } = spawnSync('cmp', [archive, output])
    rmSync(output, { force: true })
    if (status !== 0) throw new Error(`${name}: another archive came out`)
  }
}
