import { realImage } from '../inputs/real.mjs'
import { rounds } from '../measure/rounds.mjs'
import { atLeast, atMost, flat } from './reaches.mjs'
import { tasksOf } from './tasks.mjs'

const DEFAULT_RUNS = 5

/** The image of about 450 MB, from a layout (or containerd's store) to an archive. */
export async function exportReal(context) {
  const input = await realImage(context)
  const tasks = tasksOf(context, 'export', input)
  const rows = await rounds(tasks, { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [input.layout] })
  const reaches = [atLeast('skopeo', 3), atLeast('ctr', 6), atMost('oci-tar', 'floor', 1.5), flat('oci-tar', 150)]
  return [{ title: 'export: the real image to an archive', input: input.made, rows, reaches }]
}

/** The same image from one archive, the same file for all, into an empty layout (or store). */
export async function importReal(context) {
  const input = await realImage(context)
  const tasks = tasksOf(context, 'import', input)
  const rows = await rounds(tasks, { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [input.archive] })
  const reaches = [atLeast('skopeo', 3), atLeast('ctr', 5), atMost('oci-tar', 'floor', 1.5), flat('oci-tar', 150)]
  return [{ title: 'import: the real image from an archive', input: input.made, rows, reaches }]
}
