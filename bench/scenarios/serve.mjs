import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { bigBlob } from '../inputs/blob.mjs'
import { highWater } from '../measure/process.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { atMost } from './reaches.mjs'

const DEFAULT_RUNS = 7

/** Starts a server of the bench's own and waits until `address` gives one. */
async function start(command, args, env, address) {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  let ended = false
  child.stdout.on('data', (bytes) => (said += bytes))
  const gone = new Promise((resolve) => {
    for (const event of ['exit', 'error']) {
      child.once(event, () => {
        ended = true
        resolve()
      })
    }
  })
  const close = async () => {
    child.kill('SIGTERM')
    await gone
  }
  for (let waited = 0; waited < 10_000 && !ended; waited += 50) {
    const found = await address(said)
    if (found !== undefined) return { address: found, close, pid: child.pid }
    await sleep(50)
  }
  await close()
  throw new Error(`${command} does not come up`)
}

async function answers(url) {
  const answer = await fetch(url, { method: 'HEAD' }).catch(() => undefined)
  return answer?.ok === true
}

function nginxConfiguration(home, root) {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(home, name)};`)
  return `daemon off; pid ${join(home, 'pid')}; error_log ${join(home, 'error')}; worker_processes 1;${process.getuid?.() === 0 ? ' user root;' : ''}
events { }
http { access_log off; sendfile on; ${folders.join(' ')} server { listen 127.0.0.1:PORT; root ${root}; } }
`
}

async function startNginx({ scratch, env }, root, probe) {
  const home = join(scratch, 'nginx')
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  const port = 20_000 + (process.pid % 10_000)
  const file = join(home, 'nginx.conf')
  writeFileSync(file, nginxConfiguration(home, root).replace('PORT', String(port)))
  const url = `http://127.0.0.1:${port}`
  return start('nginx', ['-c', file, '-p', home], { ...env, PATH: `${process.env.PATH}:/usr/sbin` }, async () => ((await answers(`${url}/${probe}`)) ? url : undefined))
}

/** One blob of 500 MB, out of an archive by `serve` and as a file by nginx. */
export async function serve(context) {
  const { archive, layout, layer, made } = await bigBlob(context)
  const blob = `blobs/${layer.replace(':', '/')}`
  const servers = []
  try {
    const ours = await start(process.execPath, [CLI, 'serve', archive, '--listen', '127.0.0.1:0', '-q'], context.env, async (said) => /http:\S+/.exec(said)?.[0])
    servers.push(ours)
    const curl = (name, url) => ({ name, command: 'curl', args: ['-fsS', '-o', '/dev/null', url], outputs: [], servicePeak: () => (name === 'oci-tar' ? highWater(ours.pid) : undefined) })
    // The round that is not counted is the one in which the blob is verified.
    const tasks = [curl('oci-tar', `${ours.address}/v2/bench-blob/blobs/${layer}`)]
    const nginx = await startNginx(context, layout, blob).catch((error) => context.log(`  nginx takes no part: ${error.message}`))
    if (nginx !== undefined) {
      servers.push(nginx)
      tasks.push(curl('nginx', `${nginx.address}/${blob}`))
    }
    const options = { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [archive, join(layout, blob)] }
    return [{ title: 'serve: a verified blob of 500 MB over loopback, by curl', input: made, rows: await rounds(tasks, options), reaches: [atMost('oci-tar', 'nginx', 3)] }]
  } finally {
    for (const server of servers) await server.close()
  }
}
