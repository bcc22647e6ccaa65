import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { realImage } from '../inputs/real.mjs'
import { checkArchive } from '../measure/result.mjs'
import { rounds } from '../measure/rounds.mjs'
import { startContainerd } from '../peers/containerd.mjs'
import { CLI } from '../peers/ours.mjs'
import { atLeast, flat } from './reaches.mjs'

const DEFAULT_RUNS = 5
const NAMESPACE = 'bench'

/** The same image out of one containerd and into it, by ctr and by oci-tar, neither of them unpacking it. */
export async function containerd(context) {
  const title = 'containerd: the real image out of it and into it'
  const absent = context.tools.find(({ name }) => name === 'ctr')?.absent
  if (absent !== undefined && absent !== 'not asked for') return [{ title, failed: absent, rows: [], reaches: [] }]
  const input = await realImage(context)
  // The peer ctr has a containerd of its own, in another folder.
  const service = await startContainerd({ ...context, work: join(context.work, 'containerd-store') })
  try {
    return await tables({ ...context, env: { ...context.env, CONTAINERD_ADDRESS: service.address }, runs: context.runs ?? DEFAULT_RUNS }, input, service)
  } finally {
    await service.close()
  }
}

async function tables(context, input, service) {
  const { env, out } = context
  const ctr = (...args) => {
    const run = spawnSync('ctr', ['--namespace', NAMESPACE, 'images', ...args], { encoding: 'utf8', env })
    if (run.status !== 0) throw new Error(`ctr images ${args[0]}: ${run.stderr.trim()}`)
    return run.stdout
  }
  const clear = async () => {
    const held = ctr('ls', '-q').trim().split('\n').filter(Boolean)
    if (held.length > 0) ctr('rm', '--sync', ...held)
    for (let waited = 0; service.blobs() > 0; waited += 50) {
      if (waited > 20_000) throw new Error('containerd keeps blobs of removed images')
      await sleep(50)
    }
  }
  const load = () => ctr('import', '--no-unpack', '--all-platforms', input.archive)
  const checkImage = () => {
    if (!ctr('ls', `name==${input.reference}`).includes(input.digest) || service.blobs() < input.blobs) throw new Error(`containerd has not the whole image ${input.digest}`)
  }
  const task = (name, command, args, more) => ({ name, command, args, outputs: [], resetPeak: service.resetPeak, servicePeak: service.peak, ...more })
  const theirs = (args, more) => task('ctr', 'ctr', ['--namespace', NAMESPACE, 'images', ...args], more)
  const ours = (args, more) => task('oci-tar', process.execPath, [CLI, ...args, '--store', `containerd:${NAMESPACE}/`, '-q'], more)
  const archives = { ctr: join(out, 'ctr-containerd.tar'), ours: join(out, 'oci-tar-containerd.tar') }
  const reaches = [atLeast('ctr', 1), flat('oci-tar', 200)]

  const importing = { before: clear, check: checkImage }
  const imports = [theirs(['import', '--no-unpack', input.archive], importing), ours(['import', input.archive, '--no-unpack'], importing)]
  const imported = await rounds(imports, { ...context, env, inputs: [input.archive] })
  await clear()
  load()
  const exporting = (output) => ({ outputs: [output], check: () => checkArchive(output, input) })
  const exports = [
    theirs(['export', archives.ctr, input.reference], exporting(archives.ctr)),
    ours(['export', input.reference, archives.ours], exporting(archives.ours)),
  ]
  const exported = await rounds(exports, { ...context, env })
  return [
    { title: 'containerd: the real image into it from an archive', input: input.made, rows: imported, reaches },
    { title: 'containerd: the real image out of it to an archive', input: input.made, rows: exported, reaches },
  ]
}
