import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './cache.mjs'
import { randomBytes } from './random.mjs'
import { tarOf } from './tar.mjs'

const SIZE = 500_000_000

/** An image of one uncompressed layer of 500 MB, as a layout and as an archive; tells the layer's digest. */
export async function bigBlob({ work, log }) {
  const input = await cached({ work, name: 'blob', space: 3 * SIZE, archive: true, log, make })
  const folder = join(input.layout, 'blobs/sha256')
  const name = readdirSync(folder).find((file) => statSync(join(folder, file)).size >= SIZE)
  return { ...input, layer: `sha256:${name}` }
}

async function make(layout) {
  const block = randomBytes(71)(1 << 20)
  const tar = tarOf([{ name: 'srv/blob.bin', size: SIZE }], (length) => block.subarray(0, length))
  const layer = await layout.layer(tar, { gzip: false })
  return { ...layout.finish(layout.image([layer]), 'docker.io/library/bench-blob:1'), made: 'one layer of 500 MB, uncompressed' }
}
