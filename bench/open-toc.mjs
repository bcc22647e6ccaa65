import { openSeekable } from '../packages/core/dist/seekable/open.js'
import { fileSource } from '../packages/core/dist/runtime/node/files.js'

/** node bench/open-toc.mjs LAYER: opens a layer by its TOC and prints how many entries it has. */
const layer = await openSeekable(await fileSource(process.argv[2]))
process.stdout.write(`${layer.toc.entries.length}\n`)
