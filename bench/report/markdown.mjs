import { verdict } from './verdict.mjs'

const seconds = (value) => (value < 0.2 ? `${(value * 1000).toFixed(1)} ms` : `${value.toFixed(2)} s`)
const mebibytes = (value) => (value === undefined ? '–' : `${(value / 2 ** 20).toFixed(0)} MiB`)
const line = (cells) => `| ${cells.join(' | ')} |`

function quotient(row, base) {
  return base?.median === undefined ? '–' : `${(row.median / base.median).toFixed(2)}×`
}

function cells(row, ours, floor) {
  if (row.failed !== undefined) return [row.name, `failed: ${row.failed.replaceAll(/[\n|]/g, ' ')}`, '', '', '', '', '']
  const service = row.servicePeak === undefined ? '' : ` + ${mebibytes(row.servicePeak)} in the service`
  return [
    row.name,
    seconds(row.median),
    `${seconds(row.min)} – ${seconds(row.max)} (${row.runs})`,
    row.cpu === undefined ? '–' : seconds(row.cpu),
    mebibytes(row.peak) + service,
    quotient(row, ours),
    quotient(row, floor),
  ]
}

function table({ title, input, rows, reaches, failed }) {
  if (failed !== undefined) return [`### ${title}`, '', `Not measured: ${failed}`, '']
  const ours = rows.find((row) => row.name === 'oci-tar')
  const floor = rows.find((row) => row.name === 'floor' || row.name === 'node -e 0')
  const lines = [`### ${title}`, '', ...(input ? [`${input}.`, ''] : [])]
  const head = ['', 'median', 'min – max (runs)', 'processor', 'peak memory', '÷ oci-tar', `÷ ${floor?.name ?? 'floor'}`]
  lines.push(line(head), line(['---', ...head.slice(1).map(() => '---:')]))
  for (const row of rows) lines.push(line(cells(row, ours, floor)))
  lines.push('')
  for (const reach of reaches) {
    const { text, value, reached } = verdict(reach, rows)
    const word = reached === undefined ? '' : reached ? ': reached' : ': MISSED'
    lines.push(`- ${text}: ${value === undefined ? 'not measured' : value.toFixed(2)}${word}`)
  }
  return [...lines, '']
}

/** The whole report as Markdown. */
export function markdown({ machine, tools, tables }) {
  return [
    `${machine.processor}, ${machine.cores} cores ${machine.sha}, ${machine.memory}, ${machine.system}, node ${machine.node}, ${machine.date}`,
    `(load ${machine.load.join(' ')} at the start; peak memory: ${machine.peakMemory})`,
    '',
    ...tools.map((tool) => `- ${tool.name}: ${tool.version ?? ''}${tool.absent ? `${tool.version ? ', ' : ''}absent: ${tool.absent}` : ''}`),
    '',
    ...tables.flatMap(table),
  ].join('\n')
}
