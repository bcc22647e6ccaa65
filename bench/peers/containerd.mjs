import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { highWater } from '../measure/process.mjs'

const configuration = (root, run) => `version = 2
root = ${JSON.stringify(root)}
state = ${JSON.stringify(join(run, 'state'))}
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
]

[grpc]
  address = ${JSON.stringify(join(run, 'sock'))}

[plugins."io.containerd.internal.v1.opt"]
  path = ${JSON.stringify(join(root, 'opt'))}
`

/**
 * A containerd of the bench's own, with its own root, state and socket, and
 * without the Kubernetes plugin. Needs root.
 * @param {{ work: string, env: NodeJS.ProcessEnv }} options
 */
export async function startContainerd({ work, env }) {
  const root = join(work, 'containerd')
  // A socket's path is limited to about 100 bytes, so it cannot lie under the work directory.
  const run = mkdtempSync(join(tmpdir(), 'bench-'))
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  const config = join(run, 'config.toml')
  writeFileSync(config, configuration(root, run))
  const address = join(run, 'sock')
  const daemon = spawn('containerd', ['--config', config, '--log-level', 'error'], { env, stdio: 'ignore' })
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
  for (let waited = 0; spawnSync('ctr', ['--address', address, 'version']).status !== 0; waited += 100) {
    if (ended || waited > 20_000) {
      await close()
      throw new Error('containerd does not come up')
    }
    await sleep(100)
  }
  const blobs = join(root, 'io.containerd.content.v1.content/blobs/sha256')
  return {
    address,
    close,
    blobs: () => (existsSync(blobs) ? readdirSync(blobs).length : 0),
    resetPeak: () => process.platform === 'linux' && writeFileSync(`/proc/${daemon.pid}/clear_refs`, '5'),
    peak: () => highWater(daemon.pid),
  }
}
