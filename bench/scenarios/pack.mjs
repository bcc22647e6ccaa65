import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { manyFiles, oneFile } from '../inputs/trees.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { atMost, flat } from './reaches.mjs'

const DEFAULT_RUNS = 5

const shell = (name, line, ...words) => ({ name, command: 'sh', args: ['-c', line, 'sh', ...words], outputs: [] })

/** Both write the same files into a pipe, and into a file that is synced, as ours is before it appears. */
function tasksOf(context, directory, entries) {
  const [ours, theirs] = ['oci-tar', 'tar'].map((name) => join(context.out, `${name}-pack.tar`))
  const check = (file) => () => {
    const listed = spawnSync('tar', ['-tf', file], { encoding: 'utf8', maxBuffer: 1 << 26 })
    const names = listed.stdout.split('\n').filter((name) => name !== '' && name !== './')
    if (listed.status !== 0 || names.length !== entries) throw new Error(`${file}: ${names.length} entries, not ${entries}`)
    if (statSync(file).size % 512 !== 0) throw new Error(`${file}: not in whole blocks`)
  }
  return {
    pipe: [
      shell('oci-tar', '"$1" "$2" pack "$3" - -q | cat > /dev/null', process.execPath, CLI, directory),
      shell('GNU tar', 'tar -cf - -C "$1" . | cat > /dev/null', directory),
    ],
    file: [
      { ...shell('oci-tar', '"$1" "$2" pack "$3" "$4" -q', process.execPath, CLI, directory, ours), outputs: [ours], check: check(ours) },
      { ...shell('GNU tar', 'tar -cf "$2" -C "$1" . && sync "$2"', directory, theirs), outputs: [theirs], check: check(theirs) },
    ],
  }
}

/** 20,000 small files, and one of 1 GiB, into a plain tar. */
export async function pack(context) {
  const tables = []
  for (const [title, directory, entries, bound] of [
    ['20,000 small files', manyFiles(context), 20_200, 4],
    ['one file of 1 GiB', oneFile(context), 1, 1.2],
  ]) {
    const { pipe, file } = tasksOf(context, directory, entries)
    const options = { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [directory] }
    const reaches = [atMost('oci-tar', 'GNU tar', bound), flat('oci-tar', 150)]
    tables.push({ title: `pack: ${title}, into a pipe`, rows: await rounds(pipe, options), reaches })
    tables.push({ title: `pack: ${title}, into a file that is synced`, rows: await rounds(file, options), reaches })
  }
  return tables
}
