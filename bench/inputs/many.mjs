import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { cached } from './cache.mjs'
import { MEDIA, PLATFORM } from './layout.mjs'
import { randomText } from './words.mjs'
import { randomNumbers } from './random.mjs'
import { tarOf } from './tar.mjs'

const LAYERS = 98
const GROUP = 50

/**
 * An index of indexes of `images` images, each with a manifest, a config and
 * 98 small gzip layers of its own: 100 blobs an image.
 */
export function manyImages({ work, log }, images) {
  const make = (layout) => fill(layout, images)
  return cached({ work, name: `many-${images}`, space: images * 100 * 24_576, archive: true, log, make })
}

function fill(layout, images) {
  const text = randomText(41)
  const number = randomNumbers(42)
  const layer = (image, i) => {
    const tar = Buffer.concat([...tarOf([{ name: `srv/${image}/${i}.txt`, size: 100 + (number() % 8000) }], text)])
    const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`
    return { descriptor: layout.put(gzipSync(tar), MEDIA.gzip), diffId }
  }
  const indexes = []
  for (let first = 0; first < images; first += GROUP) {
    const manifests = []
    for (let image = first; image < Math.min(first + GROUP, images); image += 1) {
      const manifest = layout.image(Array.from({ length: LAYERS }, (_, i) => layer(image, i)))
      manifests.push({ ...manifest, platform: PLATFORM })
    }
    indexes.push(layout.index(manifests))
  }
  return layout.finish(layout.index(indexes), 'docker.io/library/bench-many:1')
}
