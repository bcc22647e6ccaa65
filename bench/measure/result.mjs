import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

function onlyRoot(json, expected, where) {
  const digests = JSON.parse(json).manifests.map((manifest) => manifest.digest)
  if (digests.length !== 1 || digests[0] !== expected) {
    throw new Error(`${where}: index.json names ${digests.join(', ') || 'nothing'}, not ${expected}`)
  }
  return digests[0]
}

function wholeSize(actual, input, where) {
  if (actual < input.size) throw new Error(`${where}: ${actual} bytes, fewer than the ${input.size} of the image's blobs`)
}

/** Throws unless the archive's index.json names exactly the input's root, and the file is large enough for every blob. */
export function checkArchive(file, input) {
  wholeSize(statSync(file).size, input, file)
  const tar = spawnSync('tar', ['-xOf', file, 'index.json'], { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (tar.status !== 0) throw new Error(`${file}: tar cannot read index.json: ${tar.stderr.trim()}`)
  return onlyRoot(tar.stdout, input.digest, file)
}

/** Throws unless the layout's index.json names exactly the input's root, and its blobs are as large as the input's. */
export function checkLayout(directory, input) {
  const blobs = join(directory, 'blobs/sha256')
  const size = readdirSync(blobs).reduce((sum, name) => sum + statSync(join(blobs, name)).size, 0)
  wholeSize(size, input, directory)
  return onlyRoot(readFileSync(join(directory, 'index.json'), 'utf8'), input.digest, directory)
}
