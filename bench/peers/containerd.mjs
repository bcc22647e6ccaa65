import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { highWater } from '../measure/process.mjs'
import { daemonFolders, startDaemon } from './daemon.mjs'

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
  const { root, run } = daemonFolders(work, 'containerd')
  const config = join(run, 'config.toml')
  writeFileSync(config, configuration(root, run))
  const address = join(run, 'sock')
  const { pid, close } = await startDaemon({
    command: 'containerd',
    args: ['--config', config, '--log-level', 'error'],
    env,
    folders: [root, run],
    patience: 20_000,
    answers: () => spawnSync('ctr', ['--address', address, 'version']).status === 0,
  })
  const blobs = join(root, 'io.containerd.content.v1.content/blobs/sha256')
  return {
    address,
    close,
    blobs: () => (existsSync(blobs) ? readdirSync(blobs).length : 0),
    resetPeak: () => process.platform === 'linux' && writeFileSync(`/proc/${pid}/clear_refs`, '5'),
    peak: () => highWater(pid),
  }
}
