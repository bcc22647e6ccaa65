import { join } from 'node:path'

/**
 * One operation of every tool that takes part, as named tasks, each with an output of its own.
 * @param {{ tools: object[], out: string }} context
 * @param {'export' | 'import'} operation
 * @param {(tool: { name: string }) => boolean} [filter]
 */
export function tasksOf({ tools, out }, operation, input, filter = () => true) {
  return tools
    .filter((tool) => tool.absent === undefined && tool[operation] !== undefined && filter(tool))
    .map((tool) => {
      const suffix = operation === 'export' ? '.tar' : ''
      const output = join(out, `${tool.name.replaceAll(/\W+/g, '-')}-${input.name}${suffix}`)
      return { name: tool.name, ...tool[operation](input, output) }
    })
}

/** Whether a tool is ours or the floor, for scenarios that are about ours alone. */
export const oursAndFloor = ({ name }) => name === 'oci-tar' || name === 'floor'
