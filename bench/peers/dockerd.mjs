import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { daemonFolders, startDaemon } from './daemon.mjs'

/**
 * A docker engine of the bench's own, with its own root and socket, and
 * without a network. Needs root.
 * @param {{ work: string, env: NodeJS.ProcessEnv }} options
 */
export async function startDockerd({ work, env }) {
  const { root, run } = daemonFolders(work, 'docker-engine')
  const host = `unix://${join(run, 'sock')}`
  const docker = (...args) => spawnSync('docker', args, { encoding: 'utf8', env: { ...env, DOCKER_HOST: host, DOCKER_CONFIG: run } })
  const { close } = await startDaemon({
    command: 'dockerd',
    args: ['--host', host, '--data-root', root, '--exec-root', join(run, 'exec'), '--pidfile', join(run, 'pid'), '--bridge=none', '--iptables=false', '--ip-masq=false', '--ip-forward=false', '--log-level=error'],
    env,
    folders: [root, run],
    patience: 30_000,
    answers: () => docker('version').status === 0,
  })
  return { host, docker, close }
}
