import { cached } from './cache.mjs'
import { tarOf } from './tar.mjs'

/** An image of one layer with one file of 12 bytes. */
export function tinyImage({ work, log }) {
  return cached({ work, name: 'tiny', space: 1 << 20, archive: true, log, make })
}

async function make(layout) {
  const tar = tarOf([{ name: 'hello.txt', size: 12 }], () => Buffer.from('hello world\n'))
  const layer = await layout.layer(tar, { gzip: true })
  return layout.finish(layout.image([layer]), 'docker.io/library/bench-tiny:1')
}
