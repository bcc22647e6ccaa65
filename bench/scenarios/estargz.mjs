import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomBytes, randomNumbers } from '../inputs/random.mjs'
import { tarOf } from '../inputs/tar.mjs'
import { randomText } from '../inputs/words.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { atLeast, atMost, flat } from './reaches.mjs'

const DEFAULT_RUNS = 2
const ENTRIES = 100_000
const script = (name) => fileURLToPath(new URL(`../${name}.mjs`, import.meta.url))
const PROGRAM = fileURLToPath(new URL('../../test/interop/go/estargz/main.go', import.meta.url))

/** Makes an input once. */
function inputOf({ work, log }, name, files, content) {
  const path = join(work, 'inputs', name)
  if (existsSync(path)) return path
  log(`making the input ${name} (once; kept as ${path})`)
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(`${path}.part`, 'w')
  for (const piece of tarOf(files, content)) writeSync(file, piece)
  closeSync(file)
  renameSync(`${path}.part`, path)
  return path
}

/** A Debian root with a few packages, some 250 MB in 10,700 entries; where mmdebstrap cannot make one, text in 14,600 files. */
function usual(context) {
  const path = join(context.work, 'inputs', 'estargz.tar')
  if (existsSync(path)) return path
  context.log(`making the input estargz.tar (once; kept as ${path})`)
  mkdirSync(dirname(path), { recursive: true })
  const args = ['--quiet', '--variant=minbase', '--include=git,perl,python3-minimal', '--format=tar', 'bookworm', `${path}.part`]
  const { status, error, stderr } = spawnSync('mmdebstrap', args, { env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' }, encoding: 'utf8', timeout: 900_000 })
  if (status === 0) {
    renameSync(`${path}.part`, path)
    return path
  }
  rmSync(`${path}.part`, { force: true })
  context.log(`  no Debian root (${error?.message ?? stderr.trim().split('\n').at(-1)}); text stands in for it`)
  const number = randomNumbers(81)
  const size = () => Math.floor((Math.log((number() + 1) / 2 ** 32) ** 2 * 16_300) / 2)
  const files = Array.from({ length: 14_600 }, (_, i) => ({ name: `usr/share/directory-${Math.floor(i / 50)}/file-${i}.txt`, size: size() }))
  return inputOf(context, 'estargz.tar', files, randomText(82))
}

/** Our Go program over the reference; undefined where Go or the library is not installed. */
function reference({ work, log }) {
  const executable = join(work, 'inputs', 'estargz-reference')
  mkdirSync(dirname(executable), { recursive: true })
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(work, 'inputs', 'go-cache') }
  const { status, error, stderr } = spawnSync('go', ['build', '-o', executable, PROGRAM], { encoding: 'utf8', env })
  if (status === 0) return executable
  log(`  the reference takes no part: ${error?.message ?? stderr.slice(-200)}`)
  return undefined
}

const ours = (args, more = {}) => ({ name: 'oci-tar', command: process.execPath, args: [CLI, 'estargz', ...args, '-q'], outputs: [], ...more })
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`
const share = (bytes, base) => `${((bytes / base - 1) * 100).toFixed(2)} %`

/** Layers that are read in pieces: built and verified beside the reference, opened, and read over HTTP. */
export async function estargz(context) {
  const tar = usual(context)
  const program = reference(context)
  const options = { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [tar], keep: true }
  const place = (name) => join(context.out, name)
  const tables = []
  for (const level of ['9', '6']) tables.push(await built(options, { tar, program, place, level }))
  tables.push(await verified(options, { program, place }))
  tables.push(await together(options, { tar, place }))
  for (const name of ['ours-9', 'theirs-9', 'ours-6', 'theirs-6', 'small', 'gzip']) rmSync(place(name), { force: true })
  tables.push(await opened(options))
  tables.push(await firstByte(options))
  return tables
}

async function built(options, { tar, program, place, level }) {
  const [mine, other] = [place(`ours-${level}`), place(`theirs-${level}`)]
  const tasks = [ours(['build', tar, mine, '--level', level], { outputs: [mine] })]
  if (program !== undefined) tasks.push({ name: 'reference', command: program, args: ['build', '-cores', '2', '-level', level, tar, other], outputs: [other] })
  const rows = await rounds(tasks, options)
  const sizes = program === undefined ? megabytes(statSync(mine).size) : `${megabytes(statSync(mine).size)}, the reference's ${megabytes(statSync(other).size)}: ${share(statSync(mine).size, statSync(other).size)} (at most 0.50 %)`
  return { title: `estargz: a layer built at level ${level}`, input: `${megabytes(statSync(tar).size)}; the layer has ${sizes}`, rows, reaches: [...(program === undefined ? [] : [atLeast('reference', 3)]), flat('oci-tar', 250)] }
}

async function verified(options, { program, place }) {
  const layer = place('ours-6')
  const { stdout } = spawnSync(process.execPath, [CLI, 'estargz', 'verify', layer, '--level', '1', '-q'], { encoding: 'utf8' })
  const digest = stdout.trim()
  const tasks = [
    ours(['verify', layer, '--level', '2', '--toc-digest', digest]),
    { ...ours(['verify', layer, '--level', '3', '--toc-digest', digest]), name: 'oci-tar, tar and TOC compared' },
    ...(program === undefined ? [] : [{ name: 'reference', command: program, args: ['verify', layer, digest], outputs: [] }]),
  ]
  const rows = await rounds(tasks, { ...options, inputs: [layer] })
  return { title: 'estargz: a layer verified', input: 'TOC and every chunk', rows, reaches: [...(program === undefined ? [] : [atLeast('reference', 3)]), flat('oci-tar', 250)] }
}

async function together(options, { tar, place }) {
  const [small, plain] = [place('small'), place('gzip')]
  const tasks = [
    ours(['build', tar, small, '--level', '9', '--min-chunk-size', '50000'], { outputs: [small] }),
    { name: 'gzip -9', command: 'sh', args: ['-c', 'gzip -9 < "$1" > "$2"', 'sh', tar, plain], outputs: [plain] },
  ]
  const rows = await rounds(tasks, { ...options, runs: 1, warmUp: false })
  const [ourSize, gzipSize] = [small, plain].map((path) => statSync(path).size)
  return { title: 'estargz: small files together (--min-chunk-size 50000)', input: `The layer has ${megabytes(ourSize)}, gzip -9 makes ${megabytes(gzipSize)}: ${share(ourSize, gzipSize)} (at most 1.50 %)`, rows, reaches: [atMost('oci-tar', 'gzip -9', 1)] }
}

/** Opening takes as long as the TOC is, whatever the files are. */
async function opened(options) {
  const bound = { name: 'a second', median: 1, min: 1, max: 1, runs: 0 }
  const rows = []
  for (const [name, count] of [['oci-tar', ENTRIES], ['oci-tar, four times as many', 4 * ENTRIES]]) {
    const files = Array.from({ length: count }, (_, i) => ({ name: `usr/share/directory-${Math.floor(i / 100)}/file-${i}.txt`, size: i % 13 }))
    const tar = inputOf(options, `entries-${count}.tar`, files, randomText(83))
    const layer = join(options.work, 'inputs', `entries-${count}.esgz`)
    if (!existsSync(layer)) build(tar, layer)
    rows.push(...(await rounds([{ name, command: process.execPath, args: [script('open-toc'), layer], outputs: [], check: () => checkCount(layer, count + 1) }], { ...options, runs: 5, inputs: [layer] })))
  }
  return { title: `estargz: a TOC of ${ENTRIES.toLocaleString('en')} entries opened, the start of Node included`, rows: [...rows, bound], reaches: [atMost('oci-tar', bound.name, 1), atMost('oci-tar, four times as many', 'oci-tar', 4.5)] }
}

function checkCount(layer, count) {
  const { stdout, stderr } = spawnSync(process.execPath, [script('open-toc'), layer], { encoding: 'utf8' })
  if (Number(stdout) !== count) throw new Error(`${stdout.trim()} entries, not ${count} ${stderr}`)
}

/** One file of a layer of a gigabyte that does not get smaller, from a server of this machine. */
async function firstByte(options) {
  const files = Array.from({ length: 4000 }, (_, i) => ({ name: `opt/data/file-${i}.bin`, size: 256 * 1024 }))
  const tar = inputOf(options, 'gigabyte.tar', files, randomBytes(84))
  const layer = join(options.work, 'inputs', 'gigabyte.esgz')
  if (!existsSync(layer)) build(tar, layer)
  const server = spawn(process.execPath, [script('peers/range-server'), layer], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [port] = await once(server.stdout, 'data')
    const args = [script('first-byte'), `http://127.0.0.1:${Number(port)}/`, String(statSync(layer).size), 'opt/data/file-2000.bin']
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (!(Number(stdout) <= 3)) throw new Error(`${stdout.trim()} requests ${stderr}`)
    const rows = await rounds([{ name: 'oci-tar', command: process.execPath, args, outputs: [] }], { ...options, runs: 5, inputs: [layer] })
    return { title: 'estargz: the first byte of a file of a 1 GB layer over HTTP, the start of Node included', input: `${stdout.trim()} requests (at most 3), ${megabytes(statSync(layer).size)}`, rows, reaches: [flat('oci-tar', 150)] }
  } finally {
    server.kill()
  }
}

function build(tar, layer) {
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'estargz', 'build', tar, `${layer}.part`, '--level', '1', '-q'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${layer} cannot be built: ${stderr}`)
  renameSync(`${layer}.part`, layer)
}
