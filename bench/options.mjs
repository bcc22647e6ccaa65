import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { TOOL_NAMES } from './peers/all.mjs'
import { SCENARIO_NAMES } from './scenarios/all.mjs'

export const USAGE = `node bench/run.mjs [scenario...] [options]

Scenarios: ${SCENARIO_NAMES.join(', ')} (all by default)

  --runs N          counted runs of each tool in each scenario
                    (default 5; 2 of the big ones, 3 of the many, 30 of the starts)
  --tools a,b       only these tools, by the start of their names:
                    ${TOOL_NAMES.join(', ')}
  --no-sha-ni       let Node see a processor without SHA instructions
  --work DIR        where inputs and outputs go (default bench/.work)
  --json FILE       where the figures go (default DIR/results/<time>.json)
  --help
`

/** @returns {{ help: boolean, scenarios: string[], runs?: number, only?: string[], shaInstructions: boolean, work: string, json?: string }} */
export function readOptions(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      tools: { type: 'string' },
      'no-sha-ni': { type: 'boolean', default: false },
      work: { type: 'string', default: fileURLToPath(new URL('.work', import.meta.url)) },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const unknown = positionals.filter((name) => !SCENARIO_NAMES.includes(name))
  if (unknown.length > 0) throw new Error(`no scenario is called ${unknown.join(', ')}; there are ${SCENARIO_NAMES.join(', ')}`)
  const runs = values.runs === undefined ? undefined : Number(values.runs)
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 1)) throw new Error(`--runs takes a whole number from 1, not ${values.runs}`)
  return {
    help: values.help,
    scenarios: positionals.length > 0 ? positionals : SCENARIO_NAMES,
    runs,
    only: values.tools?.split(','),
    shaInstructions: !values['no-sha-ni'],
    work: resolve(values.work),
    json: values.json,
  }
}
