import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { needSpace } from '../inputs/cache.mjs'
import { manyPaths } from '../inputs/paths.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { flat } from './reaches.mjs'

/** 150 MB and 400 bytes a path, in MiB. */
const BOUND = Math.floor((150e6 + 400 * 1_000_000) / 2 ** 20)

/** What an image of 1,000,000 paths costs in memory, verb by verb, each run once; what one leaves the next takes. */
export async function paths(context) {
  const input = await manyPaths(context)
  needSpace(context.out, 6 * 2 ** 30)
  const source = `oci:${input.layout}:${input.reference}`
  const [tar, metadata, tree] = ['paths.tar', 'paths.split.gz', 'paths-tree'].map((name) => join(context.out, name))
  const task = (name, args, outputs = []) => ({ name, command: process.execPath, args: [CLI, ...args, '-q'], outputs })
  const tasks = [
    task('ls -R', ['ls', '-R', source]),
    task('flatten --tar', ['flatten', source, '--tar', '-o', tar], [tar]),
    task('tar-split disassemble', ['tar-split', 'disassemble', tar, '--metadata', metadata], [metadata]),
    task('tar-split disassemble --upstream', ['tar-split', 'disassemble', tar, '--upstream', '--metadata', '/dev/null']),
    // No file has a byte, so there are no payloads to put in.
    task('tar-split assemble', ['tar-split', 'assemble', '--metadata', metadata, '--payloads', context.out, '/dev/null']),
    task('unpack', ['unpack', source, tree], [tree]),
    task('pack', ['pack', tree, '/dev/null']),
  ]
  const options = { ...context, runs: 1, warmUp: false, keep: true, inputs: [input.layout] }
  try {
    const rows = await rounds(tasks, options)
    return [{ title: 'paths: 1,000,000 of them, verb by verb', input: input.made, rows, reaches: tasks.map(({ name }) => flat(name, BOUND)) }]
  } finally {
    for (const path of [tar, metadata, tree]) rmSync(path, { recursive: true, force: true })
  }
}
