import { tinyImage } from '../inputs/tiny.mjs'
import { measureStart } from '../measure/process.mjs'
import { rounds } from '../measure/rounds.mjs'
import { CLI } from '../peers/ours.mjs'
import { atMost } from './reaches.mjs'
import { tasksOf } from './tasks.mjs'

const DEFAULT_RUNS = 30

/** What a start costs, held against the start of Node itself. */
export async function startup(context) {
  const input = await tinyImage(context)
  const node = (name, args) => ({ name, command: process.execPath, args, outputs: [] })
  const tasks = [node('node -e 0', ['-e', '0'])]
  const ours = context.tools.find((tool) => tool.name === 'oci-tar')
  if (ours.absent === undefined) tasks.push(node('oci-tar --version', [CLI, '--version']))
  const tiny = tasksOf(context, 'export', input, ({ name }) => name === 'oci-tar' || name === 'skopeo')
  tasks.push(...tiny.map((task) => ({ ...task, name: `${task.name}, a tiny export` })))
  const options = { ...context, runs: context.runs ?? DEFAULT_RUNS, inputs: [input.layout], measurer: measureStart }
  const reaches = [atMost('oci-tar --version', 'node -e 0', 1.5), atMost('oci-tar, a tiny export', 'node -e 0', 4)]
  return [{ title: 'startup', rows: await rounds(tasks, options), reaches }]
}
