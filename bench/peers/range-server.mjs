import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'

/** node bench/peers/range-server.mjs FILE: serves one file by ranges; prints the port. */
const [file] = process.argv.slice(2)
const { size } = statSync(file)
const server = createServer((request, response) => {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  if (first === undefined) return response.writeHead(400).end()
  const end = Math.min(Number(last), size - 1)
  response.writeHead(206, { 'content-range': `bytes ${first}-${end}/${size}`, 'content-length': end - Number(first) + 1 })
  createReadStream(file, { start: Number(first), end }).pipe(response)
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
