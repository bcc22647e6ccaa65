import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkArchive } from '../measure/result.mjs'
import { startContainerd } from './containerd.mjs'
import { firstLine } from './tool.mjs'

const name = 'ctr'

/** ctr against the bench's own containerd; the service's memory is reported beside the client's. */
export async function openCtr({ work, env }) {
  const version = firstLine('ctr', ['--version'], env)
  if (version === undefined || firstLine('containerd', ['--version'], env) === undefined) return { name, absent: 'ctr or containerd not installed' }
  if (process.getuid?.() !== 0) return { name, version, absent: 'containerd needs root' }
  let service
  try {
    service = await startContainerd({ work, env })
  } catch (error) {
    return { name, version, absent: error.message }
  }
  const args = (...rest) => ['--address', service.address, '--namespace', 'bench', 'images', ...rest]
  const ctr = (...rest) => {
    const run = spawnSync('ctr', args(...rest), { encoding: 'utf8', env })
    if (run.status !== 0) throw new Error(`ctr images ${rest[0]}: ${run.stderr.trim()}`)
    return run.stdout
  }
  const load = (input) => ctr('import', '--no-unpack', '--all-platforms', input.archive)
  const names = () => ctr('ls', '-q').trim().split('\n').filter(Boolean)
  const clear = async () => {
    const held = names()
    if (held.length > 0) ctr('rm', '--sync', ...held)
    // Blobs that stayed would make the next import a matter of looking them up.
    for (let waited = 0; service.blobs() > 0; waited += 50) {
      if (waited > 20_000) throw new Error('containerd keeps blobs of removed images')
      await sleep(50)
    }
  }
  const checkImage = (input) => {
    // ctr keeps the archive's index.json as one more blob until the next collection.
    const whole = ctr('ls', `name==${input.reference}`).includes(input.digest) && service.blobs() >= input.blobs
    if (!whole) throw new Error(`containerd has not the whole image ${input.digest}`)
  }
  const task = (rest, outputs, more) => {
    const measured = { resetPeak: service.resetPeak, servicePeak: service.peak }
    return { command: 'ctr', args: args(...rest), outputs, ...measured, ...more }
  }
  return {
    name,
    version,
    export: (input, output) => {
      const before = async () => {
        if (names().includes(input.reference)) return
        await clear()
        load(input)
      }
      return task(['export', output, input.reference], [output], { before, check: () => checkArchive(output, input) })
    },
    import: (input) => task(['import', '--no-unpack', input.archive], [], { before: clear, check: () => checkImage(input) }),
    clear,
    close: service.close,
  }
}
