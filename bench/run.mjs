import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { environment } from './environment.mjs'
import { readOptions, USAGE } from './options.mjs'
import { openTools } from './peers/all.mjs'
import { machine } from './report/machine.mjs'
import { markdown } from './report/markdown.mjs'
import { SCENARIOS } from './scenarios/all.mjs'

const log = (line) => process.stderr.write(`${line}\n`)

function workspace(work) {
  const places = { out: join(work, 'out'), scratch: join(work, 'scratch'), temporary: join(work, 'tmp') }
  for (const directory of Object.values(places)) {
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory, { recursive: true })
  }
  return places
}

async function tablesOf(name, context) {
  log(`scenario ${name}`)
  try {
    return await SCENARIOS[name](context)
  } catch (error) {
    log(`  ${name} stopped: ${error.message}`)
    return [{ title: name, failed: error.message, rows: [], reaches: [] }]
  }
}

async function run(options) {
  const places = workspace(options.work)
  const env = environment({ ...options, temporary: places.temporary })
  const report = { machine: machine(options), tools: [], tables: [] }
  const tools = await openTools({ ...options, env })
  // An interrupt reaches the running tool by itself; the services of the bench end here.
  const close = () => Promise.all(tools.map((tool) => tool.close?.()))
  process.once('SIGINT', () => close().finally(() => process.exit(130)))
  try {
    report.tools = tools.map(({ name, version, absent }) => ({ name, version, absent }))
    const context = { ...options, ...places, env, tools, log }
    for (const name of options.scenarios) report.tables.push(...(await tablesOf(name, context)))
  } finally {
    await close()
  }
  const json = options.json ?? join(options.work, 'results', `${report.machine.date.replaceAll(':', '')}.json`)
  mkdirSync(dirname(json), { recursive: true })
  writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`)
  process.stdout.write(`${markdown(report)}\n`)
  log(`figures: ${json}`)
}

try {
  const options = readOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(USAGE)
  else await run(options)
} catch (error) {
  log(`bench: ${error.message}`)
  process.exitCode = 1
}
