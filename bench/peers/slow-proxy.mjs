// node slow-proxy.mjs <port> <target port> <milliseconds>: an HTTP proxy that answers each request so much later.
import { Agent, createServer, request } from 'node:http'

const [port, target, delay] = process.argv.slice(2).map(Number)
const agent = new Agent({ keepAlive: true, maxSockets: 100 })
createServer((incoming, outgoing) => {
  setTimeout(() => {
    const forward = request({ agent, port: target, host: '127.0.0.1', method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers)
      answer.pipe(outgoing)
    })
    forward.on('error', () => outgoing.destroy())
    incoming.pipe(forward)
  }, delay)
}).listen(port, '127.0.0.1')
