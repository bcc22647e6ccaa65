import { spawnSync } from 'node:child_process'

/** The first line that a command prints; undefined where it does not run. */
export function firstLine(command, args, env) {
  const run = spawnSync(command, args, { encoding: 'utf8', env })
  return run.status === 0 ? run.stdout.trim().split('\n')[0] : undefined
}

/*
 * A tool is { name, version } or { name, absent } (why it takes no part), and
 *   export(input, output)  the task that writes the image of `input.layout` to the archive `output`
 *   import(input, output)  the task that reads `input.archive` into the layout directory `output`
 *   close()                ends what the tool started
 * A task is what measure/rounds.mjs runs. An operation that a tool does not have is missing.
 */
