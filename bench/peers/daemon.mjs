import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * An empty folder for a daemon's data, and one for its socket: a socket's path is limited to about 100 bytes, so it cannot lie under
 * the work directory.
 * @param {string} work @param {string} name
 */
export function daemonFolders(work, name) {
  const root = join(work, name)
  rmSync(root, { recursive: true, force: true })
  mkdirSync(root, { recursive: true })
  return { root, run: mkdtempSync(join(tmpdir(), 'bench-')) }
}

/**
 * Starts a daemon and waits until it answers; `close` ends it and removes its folders.
 * @param {{ command: string, args: string[], env: NodeJS.ProcessEnv, folders: string[], patience: number, answers: () => boolean }} options
 */
export async function startDaemon({ command, args, env, folders, patience, answers }) {
  const daemon = spawn(command, args, { env, stdio: 'ignore' })
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
    for (const directory of folders) rmSync(directory, { recursive: true, force: true })
  }
  for (let waited = 0; !answers(); waited += 100) {
    if (ended || waited > patience) {
      await close()
      throw new Error(`${command} does not come up`)
    }
    await sleep(100)
  }
  return { pid: daemon.pid, close }
}
