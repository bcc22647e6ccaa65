import { dirname } from 'node:path'
import { cached } from './cache.mjs'
import { debianRoot } from './debian.mjs'
import { randomBytes } from './random.mjs'
import { tarOf } from './tar.mjs'
import { randomText } from './words.mjs'

const MEBIBYTE = 2 ** 20

/**
 * An image of about 450 MB, every layer gzip as registries serve them:
 * a Debian root, text (about 280 MB, 90 MB compressed), and 300 MB that do not compress.
 */
export function realImage({ work, log }) {
  return cached({ work, name: 'real', space: 2048 * MEBIBYTE, archive: true, log, make })
}

async function make(layout, log) {
  const debian = debianRoot(dirname(layout.directory), log)
  const layers = [await layout.layer(debian.tar, { gzip: true })]
  debian.dispose()
  const text = Array.from({ length: 70 }, (_, i) => ({ name: `srv/text/${i}.txt`, size: 4 * MEBIBYTE }))
  layers.push(await layout.layer(tarOf(text, randomText(21)), { gzip: true }))
  const opaque = Array.from({ length: 6 }, (_, i) => ({ name: `srv/data/${i}.bin`, size: 50_000_000 }))
  layers.push(await layout.layer(tarOf(opaque, randomBytes(22)), { gzip: true }))
  const sizes = layers.map((layer) => `${Math.round(layer.descriptor.size / 1e6)} MB`).join(' + ')
  const made = `${debian.made}, text, incompressible: ${sizes}, gzip`
  return { ...layout.finish(layout.image(layers), 'docker.io/library/bench-real:1'), made }
}
