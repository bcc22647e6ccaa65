import { spawnSync } from 'node:child_process'
import { createReadStream, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tarOf } from './tar.mjs'
import { randomText } from './words.mjs'
import { randomNumbers } from './random.mjs'

/** About as many files and bytes as a minimal Debian has. */
function* textTree() {
  const number = randomNumbers(11)
  for (let i = 0; i < 6000; i += 1) {
    yield { name: `usr/share/text/${i % 97}/${i}.txt`, size: 256 + (number() % 57_344) }
  }
}

/**
 * The tar of a minimal Debian root filesystem, made by mmdebstrap from the
 * machine's own package source; where that fails, a generated tree of text.
 * @returns {{ made: string, tar: Iterable<Buffer> | AsyncIterable<Buffer>, dispose: () => void }}
 */
export function debianRoot(directory, log) {
  const file = join(directory, 'root.tar')
  const args = ['--quiet', '--variant=minbase', '--format=tar', 'bookworm', file]
  const environment = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' }
  const run = spawnSync('mmdebstrap', args, { env: environment, encoding: 'utf8', timeout: 600_000 })
  const dispose = () => rmSync(file, { force: true })
  if (run.status === 0) return { made: 'Debian bookworm minbase', tar: createReadStream(file, { highWaterMark: 1 << 20 }), dispose }
  const why = run.error?.message ?? run.stderr.trim().split('\n').at(-1)
  log(`note: no Debian root (mmdebstrap: ${why}); a generated tree of text stands in for it`)
  return { made: 'a generated text tree (no mmdebstrap)', tar: tarOf(textTree(), randomText(12)), dispose }
}
