/**
 * Works out one reach over a table's rows.
 * @returns {{ text: string, value?: number, reached?: boolean }} without a value where a row is missing
 */
export function verdict(reach, rows) {
  const row = (name) => rows.find((candidate) => candidate.name === name && candidate.median !== undefined)
  const of = row(reach.of)
  if (reach.kind === 'peak') {
    const text = `${reach.of}: peak memory, MiB (under ${reach.bound})`
    if (of?.peak === undefined) return { text }
    const value = of.peak / 2 ** 20
    return { text, value, reached: value < reach.bound }
  }
  const by = row(reach.by)
  const bound = reach.bound === Infinity ? '' : ` (${reach.kind === 'at-least' ? 'at least' : 'at most'} ${reach.bound})`
  const text = `${reach.of} ÷ ${reach.by}${bound}`
  if (of === undefined || by === undefined) return { text }
  const value = of.median / by.median
  if (reach.bound === Infinity) return { text, value }
  return { text, value, reached: reach.kind === 'at-least' ? value >= reach.bound : value <= reach.bound }
}
