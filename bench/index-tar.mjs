import { openFile } from '../packages/core/dist/runtime/node/files.js'
import { indexTar } from '../packages/core/dist/tar/seek.js'

/** node bench/index-tar.mjs FILE: prints how many entries the archive has. */
const file = await openFile(process.argv[2])
const found = await indexTar(file)
await file.close()
process.stdout.write(`${found.length}\n`)
