import { rmSync } from 'node:fs'
import { bigImage } from '../inputs/big.mjs'
import { needSpace } from '../inputs/cache.mjs'
import { rounds } from '../measure/rounds.mjs'
import { atMost, flat } from './reaches.mjs'
import { oursAndFloor, tasksOf } from './tasks.mjs'

const DEFAULT_RUNS = 2

/** An image of 10 GiB to an archive, and back from the archive that oci-tar wrote. */
export async function big(context) {
  const input = await bigImage(context)
  needSpace(context.out, input.size * 2.2)
  const options = { ...context, runs: context.runs ?? DEFAULT_RUNS, warmUp: false }
  const exports = tasksOf(context, 'export', input, oursAndFloor)
  const ours = exports.filter((task) => task.name === 'oci-tar')
  const floor = exports.filter((task) => task.name === 'floor')
  // The floor's file goes before oci-tar's is made, so that two copies lie on the disk at most.
  const rows = [...(await rounds(floor, options)), ...(await rounds(ours, { ...options, keep: true }))]
  const reaches = [flat('oci-tar', 150), atMost('oci-tar', 'floor', 1.5)]
  const tables = [{ title: 'big: 10 GiB to an archive', input: input.made, rows, reaches }]
  const archive = ours[0]?.outputs[0]
  try {
    const back = tasksOf(context, 'import', { ...input, archive }, (tool) => oursAndFloor(tool) && (tool.name === 'floor' || archive !== undefined))
    tables.push({ title: 'big: 10 GiB from that archive', input: input.made, rows: await rounds(back, options), reaches })
  } finally {
    if (archive !== undefined) rmSync(archive, { force: true })
  }
  return tables
}
