import { cached } from './cache.mjs'
import { randomBytes } from './random.mjs'
import { tarOf } from './tar.mjs'

const GIBIBYTE = 2 ** 30

/** Random bytes at the speed of copying: one random block, a counter stamped into it each time. */
function cheapBytes(seed) {
  const block = randomBytes(seed)(1 << 20)
  let count = 0
  return (length) => {
    const bytes = Buffer.from(block.subarray(0, length))
    if (length >= 8) bytes.writeBigUInt64BE(BigInt((count += 1)))
    return bytes
  }
}

/** An image of 10.1 GiB in three uncompressed layers, one of them over 8 GiB, where tar needs a PAX size. */
export function bigImage({ work, log }) {
  return cached({ work, name: 'big', space: 12 * GIBIBYTE, log, make })
}

async function make(layout) {
  const sizes = [GIBIBYTE, 8 * GIBIBYTE + 100_000_001, GIBIBYTE]
  const layers = []
  for (const [i, size] of sizes.entries()) {
    layers.push(await layout.layer(tarOf([{ name: `srv/big/${i}.bin`, size }], cheapBytes(31 + i)), { gzip: false }))
  }
  const made = '1 + 8.1 + 1 GiB, uncompressed'
  return { ...layout.finish(layout.image(layers), 'docker.io/library/bench-big:1'), made }
}
