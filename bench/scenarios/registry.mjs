import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { manyImages } from '../inputs/many.mjs'
import { realImage } from '../inputs/real.mjs'
import { checkLayout } from '../measure/result.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { freePort, startRegistry } from '../peers/registry.mjs'
import { atLeast, atMost, flat } from './reaches.mjs'

const DEFAULT_RUNS = 5
const LATENCY = 20
const JOBS = 6
const PROXY = fileURLToPath(new URL('../peers/slow-proxy.mjs', import.meta.url))

/** The real image into and out of a fresh registry, beside skopeo; 1,000 small blobs over a line with latency. */
export async function registry(context) {
  const title = 'registry: the real image to and from docker-registry'
  if (spawnSync('docker-registry', ['--version']).status !== 0) return [{ title, failed: 'docker-registry is not installed', rows: [], reaches: [] }]
  const runs = context.runs ?? DEFAULT_RUNS
  const service = await startRegistry(context)
  try {
    return [...(await moved({ ...context, runs }, service)), await small({ ...context, runs }, service)]
  } finally {
    await service.close()
  }
}

async function moved(context, { host, clear }) {
  const { out, work } = context
  const input = await realImage(context)
  const remote = `docker://${host}/bench/real:1`
  const skopeo = (source, target, more) => ({ name: 'skopeo', command: 'skopeo', args: ['--insecure-policy', '--tmpdir', join(work, 'tmp'), 'copy', '--quiet', '--src-tls-verify=false', '--dest-tls-verify=false', source, target], ...more })
  const ours = (source, target, more) => ({ name: 'oci-tar', command: process.execPath, args: [CLI, 'copy', source, target, '-q'], ...more })
  const check = () => {
    const found = spawnSync('skopeo', ['inspect', '--raw', '--tls-verify=false', remote], { maxBuffer: 1 << 24 })
    if (found.status !== 0) throw new Error(`the registry has not the image: ${found.stderr}`)
  }
  const pushing = { outputs: [], before: clear, check }
  const pushes = [skopeo(`oci:${input.layout}`, remote, pushing), ours(`oci:${input.layout}:${input.reference}`, remote, pushing)]
  const pushed = await rounds(pushes, { ...context, inputs: [input.layout] })
  const layouts = { skopeo: join(out, 'skopeo-pulled'), ours: join(out, 'oci-tar-pulled') }
  const pulling = (output) => ({ outputs: [output], check: () => checkLayout(output, input) })
  const pulls = [skopeo(remote, `oci:${layouts.skopeo}:1`, pulling(layouts.skopeo)), ours(remote, `oci:${layouts.ours}:1`, pulling(layouts.ours))]
  const pulled = await rounds(pulls, { ...context })
  return [
    { title: 'registry: the real image pushed', input: input.made, rows: pushed, reaches: [atLeast('skopeo', 1.1), flat('oci-tar', 200)] },
    { title: 'registry: the real image pulled', input: input.made, rows: pulled, reaches: [atLeast('skopeo', 1.5), flat('oci-tar', 200)] },
  ]
}

/** The floor waits as long as 1,000 requests do, so many at a time. */
async function small(context, { host, clear }) {
  const { out } = context
  const input = await manyImages(context, 10)
  const port = await freePort()
  const proxy = spawn(process.execPath, [PROXY, String(port), host.split(':')[1], String(LATENCY)], { stdio: 'ignore' })
  try {
    await sleep(500)
    clear()
    const pushed = spawnSync(process.execPath, [CLI, 'copy', `oci:${input.layout}:${input.reference}`, `docker://${host}/bench/many:1`, '-q'])
    if (pushed.status !== 0) throw new Error(`the blobs cannot be pushed: ${pushed.stderr}`)
    const output = join(out, 'many-pulled')
    const floor = (1_000 / JOBS) * LATENCY
    const rows = await rounds(
      [
        { name: 'floor', command: process.execPath, args: ['-e', `setTimeout(() => {}, ${floor})`], outputs: [] },
        { name: 'oci-tar', command: process.execPath, args: [CLI, 'copy', `docker://127.0.0.1:${port}/bench/many:1`, `oci:${output}:1`, '-q', '--jobs', String(JOBS)], outputs: [output], check: () => checkLayout(output, input) },
      ],
      { ...context },
    )
    return { title: `registry: 1,000 small blobs at ${LATENCY} ms, ${JOBS} at a time`, input: input.made, rows, reaches: [atMost('oci-tar', 'floor', 1.5), flat('oci-tar', 200)] }
  } finally {
    proxy.kill()
  }
}
