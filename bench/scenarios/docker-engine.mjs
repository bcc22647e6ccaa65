import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { realImage } from '../inputs/real.mjs'
import { startDockerd } from '../peers/dockerd.mjs'
import { CLI } from '../peers/ours.mjs'
import { rounds } from '../measure/rounds.mjs'
import { flat } from './reaches.mjs'

const DEFAULT_RUNS = 3

/** The same image into one docker engine and out of it, by docker and by oci-tar. Most of the time is the engine's own. */
export async function dockerEngine(context) {
  const title = 'docker engine: the real image into it and out of it'
  if (spawnSync('dockerd', ['--version']).status !== 0) return [{ title, failed: 'dockerd is not installed', rows: [], reaches: [] }]
  const input = await realImage(context)
  const service = await startDockerd(context)
  try {
    return await tables({ ...context, env: { ...context.env, DOCKER_HOST: service.host }, runs: context.runs ?? DEFAULT_RUNS }, input, service)
  } finally {
    await service.close()
  }
}

async function tables(context, input, service) {
  const { out } = context
  const must = (name, run) => {
    if (run.status !== 0) throw new Error(`${name}: ${run.stderr.trim()}`)
    return run.stdout.trim()
  }
  const docker = (...args) => must(`docker ${args[0]}`, service.docker(...args))
  const place = `docker-daemon:${input.reference}`
  must('oci-tar copy', spawnSync(process.execPath, [CLI, 'copy', `oci-archive:${input.archive}`, place, '-q'], { encoding: 'utf8', env: context.env }))
  const identifier = docker('image', 'inspect', '--format', '{{.Id}}', input.reference)
  const saved = join(out, 'docker-engine.tar')
  docker('save', '--output', saved, input.reference)
  const reaches = [flat('oci-tar', 200)]
  const task = (name, command, args, more) => ({ name, command, args, outputs: [], ...more })
  const theirs = (args, more) => task('docker', 'docker', args, more)
  const ours = (args, more) => task('oci-tar', process.execPath, [CLI, ...args, '-q'], more)
  try {
    const loading = { before: () => docker('rmi', '--force', identifier), check: () => docker('image', 'inspect', identifier) }
    const loads = [theirs(['load', '--quiet', '--input', saved], loading), ours(['copy', `docker-archive:${saved}`, place], loading)]
    const loaded = await rounds(loads, { ...context, inputs: [saved] })
    const archives = { docker: join(out, 'docker-saved.tar'), ours: join(out, 'oci-tar-saved.tar') }
    const saving = (output) => ({ outputs: [output], check: () => must('oci-tar verify', spawnSync(process.execPath, [CLI, 'verify', output, '-q'], { encoding: 'utf8' })) })
    const saves = [theirs(['save', '--output', archives.docker, input.reference], saving(archives.docker)), ours(['export', place, archives.ours], saving(archives.ours))]
    return [
      { title: 'docker engine: the real image loaded', input: input.made, rows: loaded, reaches },
      { title: 'docker engine: the real image saved', note: 'oci-tar keeps what the engine sends in a temporary file, verifies every byte and writes an OCI archive', input: input.made, rows: await rounds(saves, context), reaches },
    ]
  } finally {
    rmSync(saved, { force: true })
  }
}
