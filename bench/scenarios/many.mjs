import { manyImages } from '../inputs/many.mjs'
import { rounds } from '../measure/rounds.mjs'
import { atMost, flat } from './reaches.mjs'
import { oursAndFloor, tasksOf } from './tasks.mjs'

const DEFAULT_RUNS = 3
const FEW = 100
const MANY = 1000

const label = (input) => `${input.blobs.toLocaleString('en')} blobs`
const named = (tasks, input) => tasks.map((task) => ({ ...task, name: `${task.name}, ${label(input)}` }))

/** 10,000 and 100,000 blobs under a nested index: ten times the blobs may take about ten times as long. */
export async function many(context) {
  const inputs = [await manyImages(context, FEW), await manyImages(context, MANY)]
  const tables = []
  for (const operation of ['export', 'import']) {
    const rows = []
    for (const input of inputs) {
      const tasks = named(tasksOf(context, operation, input, oursAndFloor), input)
      const warm = operation === 'export' ? input.layout : input.archive
      rows.push(...(await rounds(tasks, { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [warm] })))
    }
    const [few, all] = inputs.map((input) => `oci-tar, ${label(input)}`)
    const [floorFew, floorAll] = inputs.map((input) => `floor, ${label(input)}`)
    // The floor's own growth stands beside it, since a file system's need not be linear.
    const reaches = [flat(all, 150), atMost(all, few, 13), atMost(floorAll, floorFew, Infinity), atMost(all, floorAll, Infinity)]
    tables.push({ title: `many: ${operation} of a nested index`, rows, reaches })
  }
  return tables
}
