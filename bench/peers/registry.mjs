import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A registry of the distribution project of the bench's own, on loopback, with its data in a folder that can be emptied. */
export async function startRegistry({ work, env }) {
  const data = join(work, 'registry')
  rmSync(data, { recursive: true, force: true })
  mkdirSync(data, { recursive: true })
  const port = await freePort()
  const config = join(data, 'config.yml')
  writeFileSync(config, JSON.stringify({ version: 0.1, log: { level: 'error', accesslog: { disabled: true } }, storage: { filesystem: { rootdirectory: join(data, 'root') } }, http: { addr: `127.0.0.1:${port}` } }))
  const child = spawn('docker-registry', ['serve', config], { env, stdio: 'ignore' })
  const host = `127.0.0.1:${port}`
  for (let waited = 0; !(await fetch(`http://${host}/v2/`).then((answer) => answer.ok, () => false)); waited += 50) {
    if (waited > 10_000 || child.exitCode !== null) throw new Error('docker-registry does not answer')
    await sleep(50)
  }
  return {
    host,
    clear: () => rmSync(join(data, 'root'), { recursive: true, force: true }),
    async close() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
      rmSync(data, { recursive: true, force: true })
    },
  }
}

export async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
