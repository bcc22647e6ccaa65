import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from '../inputs/cache.mjs'
import { randomNumbers } from '../inputs/random.mjs'
import { tarOf } from '../inputs/tar.mjs'
import { randomText } from '../inputs/words.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { atMost, flat } from './reaches.mjs'

const DEFAULT_RUNS = 5
const MEBIBYTE = 2 ** 20

/** 15,000 files, 250 MB, in five gzip layers; every fifth file of a layer takes the place of one of the layer below, and it hides as many. */
function layeredImage({ work, log }) {
  const make = async (layout) => {
    const text = randomText(71)
    const number = randomNumbers(72)
    const layers = []
    for (let layer = 0; layer < 5; layer += 1) {
      const files = Array.from({ length: 3000 }, (_, i) => {
        const from = i % 5 === 0 && layer > 0 ? layer - 1 : layer
        const directory = `usr/share/${i % 97}`
        return i % 5 === 1 && layer > 0
          ? { name: `${directory}/.wh.${from - 1}-${i}.txt`, size: 0 }
          : { name: `${directory}/${from}-${i}.txt`, size: number() % 34_000 }
      })
      layers.push(await layout.layer(tarOf(files, text), { gzip: true }))
    }
    return { ...layout.finish(layout.image(layers), 'docker.io/library/bench-layered:1'), made: 'five layers of 3,000 files each, gzip' }
  }
  return cached({ work, name: 'layered', space: 512 * MEBIBYTE, log, make })
}

/** The layers' files, the base first. */
function layersOf({ layout, digest }) {
  const blob = (one) => join(layout, 'blobs/sha256', one.slice('sha256:'.length))
  return JSON.parse(readFileSync(blob(digest), 'utf8')).layers.map((layer) => blob(layer.digest))
}

const nodeGunzip = `const { createReadStream, createWriteStream } = require('node:fs'), { createGunzip } = require('node:zlib'), { pipeline } = require('node:stream/promises');
(async () => { for (const file of process.argv.slice(1)) await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), createGunzip({ chunkSize: 1 << 18 }), createWriteStream('/dev/null')) })()`

/** Synced, as our layer is. */
const nodeGzip = `const { createReadStream, createWriteStream, fsyncSync, openSync } = require('node:fs'), { createGzip } = require('node:zlib'), { pipeline } = require('node:stream/promises');
const [file, output] = process.argv.slice(1);
pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), createGzip({ level: 4, chunkSize: 1 << 18 }), createWriteStream(output)).then(() => fsyncSync(openSync(output, 'r+')))`

function tarTasks(input) {
  const layers = layersOf(input)
  return [
    { name: 'oci-tar', command: process.execPath, args: [CLI, 'flatten', `oci:${input.layout}:${input.reference}`, '--tar', '-o', '/dev/null', '-q'], outputs: [] },
    { name: 'gunzip of the layers, node', command: process.execPath, args: ['-e', nodeGunzip, '--', ...layers], outputs: [] },
    { name: 'gunzip of the layers, GNU', command: 'sh', args: ['-c', 'exec gunzip -c "$@" > /dev/null', 'sh', ...layers], outputs: [] },
  ]
}

function imageTasks({ out }, input) {
  const source = `oci:${input.layout}:${input.reference}`
  const tar = join(out, 'flat.tar')
  const store = join(out, 'flat-layout')
  const file = join(out, 'flat.tar.gz')
  const made = spawnSync(process.execPath, [CLI, 'flatten', source, '--tar', '-o', tar, '-q'], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(made.stderr)
  const check = () => {
    const run = spawnSync(process.execPath, [CLI, 'verify', store, '-q'], { encoding: 'utf8' })
    if (run.status !== 0) throw new Error(run.stdout + run.stderr)
  }
  const tasks = [
    { name: 'oci-tar', command: process.execPath, args: [CLI, 'flatten', source, `oci:${store}:flat`, '--compress', 'gzip', '-q'], outputs: [store], check },
    { name: 'gzip of the result, node', command: process.execPath, args: ['-e', nodeGzip, '--', tar, file], outputs: [file] },
  ]
  return { tasks, tar }
}

/** Five layers into one: as a tar beside reading the layers once, as an image beside compressing the result once. */
export async function flatten(context) {
  const runs = context.runs ?? DEFAULT_RUNS
  const input = await layeredImage(context)
  const options = { ...context, runs, inputs: [input.layout] }
  const tables = []
  tables.push({
    title: 'flatten: the merged tree as a tar, to /dev/null',
    input: input.made,
    rows: await rounds(tarTasks(input), options),
    reaches: [atMost('oci-tar', 'gunzip of the layers, node', 2.5), atMost('oci-tar', 'gunzip of the layers, GNU', 2.5), flat('oci-tar', 150)],
  })
  const { tasks, tar } = imageTasks(context, input)
  const size = statSync(tar).size
  tables.push({
    title: `flatten: an image of one gzip layer out of five, ${Math.round(size / 1e6)} MB of tar`,
    input: input.made,
    rows: await rounds(tasks, { ...options, inputs: [input.layout, tar] }),
    reaches: [atMost('oci-tar', 'gzip of the result, node', 1.2), flat('oci-tar', 150)],
  })
  rmSync(tar, { force: true })
  return tables
}
