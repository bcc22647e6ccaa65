import { cached } from './cache.mjs'
import { header } from './tar.mjs'

const MEBIBYTE = 2 ** 20

/** Two layers over 1,000,000 paths of some 60 bytes; the upper one has half of them again. */
export function manyPaths({ work, log }) {
  const paths = function* (from) {
    for (let i = from; i < 1_000_000; i += 1) {
      const directory = `usr/share/some-package-${i % 1000}/directory-${i % 100}`
      yield header(`${directory}/file-number-${String(i).padStart(6, '0')}.txt`)
    }
    yield Buffer.alloc(1024)
  }
  const joined = function* (pieces) {
    let held = []
    for (const piece of pieces) {
      held.push(piece)
      if (held.length < 2048) continue
      yield Buffer.concat(held)
      held = []
    }
    yield Buffer.concat(held)
  }
  const make = async (layout) => {
    const layers = [await layout.layer(joined(paths(0)), { gzip: true }), await layout.layer(joined(paths(500_000)), { gzip: true })]
    return { ...layout.finish(layout.image(layers), 'docker.io/library/bench-paths:1'), made: '1,000,000 paths, 1,500,000 entries in two layers, gzip' }
  }
  return cached({ work, name: 'paths', space: 512 * MEBIBYTE, log, make })
}
