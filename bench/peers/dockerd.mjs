import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * A docker engine of the bench's own, with its own root and socket, and
 * without a network. Needs root.
 * @param {{ work: string, env: NodeJS.ProcessEnv }} options
 */
export async function startDockerd({ work, env }) {
  const root = join(work, 'docker-engine')
  // A socket's path is limited to about 100 bytes, so it cannot lie under the work directory.
  const run = mkdtempSync(join(tmpdir(), 'bench-'))
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  const host = `unix://${join(run, 'sock')}`
  const flags = ['--host', host, '--data-root', root, '--exec-root', join(run, 'exec'), '--pidfile', join(run, 'pid'), '--bridge=none', '--iptables=false', '--ip-masq=false', '--ip-forward=false', '--log-level=error']
  const daemon = spawn('dockerd', flags, { env, stdio: 'ignore' })
  let ended = false
  const gone = new Promise((resolve) => {
    for (const event of ['exit', 'error']) {
      daemon.once(event, () => {
        ended = true
        resolve()
      })
    }
  })
  const close = async () => {
    daemon.kill('SIGTERM')
    await gone
    for (const directory of [root, run]) rmSync(directory, { recursive: true, force: true })
  }
  const docker = (...args) => spawnSync('docker', args, { encoding: 'utf8', env: { ...env, DOCKER_HOST: host, DOCKER_CONFIG: run } })
  for (let waited = 0; docker('version').status !== 0; waited += 100) {
    if (ended || waited > 30_000) {
      await close()
      throw new Error('dockerd does not come up')
    }
    await sleep(100)
  }
  return { host, docker, close }
}
