/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * What a tool's runs come to.
 * @param {{ seconds: number, cpu?: number, peak?: number }[]} runs at least one
 */
export function summary(runs) {
  const seconds = runs.map((run) => run.seconds)
  const peaks = runs.map((run) => run.peak).filter((peak) => peak !== undefined)
  const cpus = runs.map((run) => run.cpu).filter((cpu) => cpu !== undefined)
  return {
    runs: runs.length,
    median: median(seconds),
    min: Math.min(...seconds),
    max: Math.max(...seconds),
    cpu: cpus.length > 0 ? median(cpus) : undefined,
    peak: peaks.length > 0 ? Math.max(...peaks) : undefined,
    all: seconds,
  }
}
