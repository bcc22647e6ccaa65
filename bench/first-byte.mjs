import { openSeekable } from '../packages/core/dist/seekable/open.js'

/** node bench/first-byte.mjs URL SIZE PATH: the first bytes of one file of a layer behind HTTP; prints the requests that it took. */
const [url, size, path] = process.argv.slice(2)
let requests = 0
const blob = {
  size: Number(size),
  async *read(start = 0, end = Number(size)) {
    requests += 1
    const answer = await fetch(url, { headers: { range: `bytes=${start}-${end - 1}` } })
    if (answer.status !== 206) throw new Error(`status ${answer.status}`)
    yield* answer.body
  },
}
const layer = await openSeekable(blob)
for await (const run of layer.openFile(path).read(0, 1)) if (run.length > 0) break
process.stdout.write(`${requests}\n`)
