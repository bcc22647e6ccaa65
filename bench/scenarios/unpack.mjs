import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { cached } from '../inputs/cache.mjs'
import { debianRoot } from '../inputs/debian.mjs'
import { realImage } from '../inputs/real.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { firstLine } from '../peers/tool.mjs'
import { atMost, flat } from './reaches.mjs'

const DEFAULT_RUNS = 5

/** An image of one layer: a Debian root of about 9,000 files. */
function debianImage({ work, log }) {
  const make = async (layout) => {
    const debian = debianRoot(dirname(layout.directory), log)
    const layer = await layout.layer(debian.tar, { gzip: true })
    debian.dispose()
    return { ...layout.finish(layout.image([layer]), 'docker.io/library/bench-debian:1'), made: `${debian.made}, gzip` }
  }
  return cached({ work, name: 'debian', space: 2 ** 30, log, make })
}

/** All that can be told of a tree, as one digest; without the times of directories, since those that no layer has an entry of get another one. */
function digestOf(tree) {
  const script = 'cd "$1" && find . -mindepth 1 "(" -type d -printf "%P %y %m %U:%G\\n" ")" -o "(" "!" -type d -printf "%P %y %m %U:%G %T@ %s %n %l\\n" ")" | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum'
  const run = spawnSync('sh', ['-c', script, 'sh', tree], { maxBuffer: 2 ** 28, env: { ...process.env, LC_ALL: 'C' } })
  if (run.status !== 0) throw new Error(`${tree}: ${run.stderr}`)
  return createHash('sha256').update(run.stdout).digest('hex')
}

/** Both tools into a directory of their own; what comes out has to be the same, to the last byte. */
function tasksOf({ env, out }, input) {
  let expected
  const check = (tree) => () => {
    const found = digestOf(tree)
    expected ??= found
    if (found !== expected) throw new Error(`${tree} is not the tree that the other tool made`)
  }
  const task = (name, command, args) => {
    const tree = join(out, `${name}-${input.name}`)
    return { name, command, args: [...args, tree], outputs: [tree], check: check(tree) }
  }
  const tasks = [task('oci-tar', process.execPath, [CLI, 'unpack', `oci:${input.layout}:${input.reference}`, '-q'])]
  if (firstLine('umoci', ['--version'], env) !== undefined) tasks.push(task('umoci', 'umoci', ['raw', 'unpack', '--image', `${input.layout}:${input.reference}`]))
  return tasks
}

/** Images as root filesystems, beside umoci, which checks digests and diffIDs too and syncs nothing. As root: with every owner. */
export async function unpack(context) {
  const tables = []
  for (const input of [await debianImage(context), await realImage(context)]) {
    const rows = await rounds(tasksOf(context, input), { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [input.layout] })
    const reaches = [...(rows.length > 1 ? [atMost('oci-tar', 'umoci', 1.5)] : []), flat('oci-tar', 150)]
    tables.push({ title: `unpack: ${input.name} to a directory`, input: input.made, rows, reaches })
  }
  return tables
}
