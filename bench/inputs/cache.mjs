import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeArchive } from './archive.mjs'
import { LayoutWriter } from './layout.mjs'

/** Raise it when a generator changes, and every input is made anew. */
const VERSION = 1

/**
 * An input, made once and kept under the work directory.
 *
 * @param {object} options
 * @param {string} options.work the bench's work directory
 * @param {string} options.name names the input's directory
 * @param {number} options.space bytes that making and keeping it takes; refused when they are not free
 * @param {boolean} [options.archive] whether an archive of the layout is kept beside it
 * @param {(layout: LayoutWriter, log: (line: string) => void) => unknown} options.make writes the layout and returns what `finish` gave
 * @param {(line: string) => void} options.log
 */
export async function cached({ work, name, space, archive = false, make, log }) {
  const home = join(work, 'inputs', name)
  const layout = join(home, 'layout')
  const file = join(home, 'archive.tar')
  const note = join(home, 'input.json')
  if (!existsSync(note) || JSON.parse(readFileSync(note, 'utf8')).version !== VERSION) {
    rmSync(home, { recursive: true, force: true })
    mkdirSync(home, { recursive: true })
    needSpace(home, space)
    log(`making the input ${name} (once; kept in ${home})`)
    const made = await make(new LayoutWriter(layout), log)
    if (archive) writeArchive(layout, file)
    writeFileSync(`${note}.part`, JSON.stringify({ version: VERSION, ...made }, null, 2))
    renameSync(`${note}.part`, note)
  }
  const facts = JSON.parse(readFileSync(note, 'utf8'))
  const mebibytes = (facts.size / 2 ** 20).toFixed(1)
  log(`input ${name}: ${facts.blobs} blobs, ${mebibytes} MiB${facts.made ? `: ${facts.made}` : ''}`)
  return { name, layout, ...(archive ? { archive: file } : {}), ...facts }
}

/** Throws unless `bytes` are free where `directory` lies. */
export function needSpace(directory, bytes) {
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize >= bytes) return
  const gibibytes = (value) => `${(value / 2 ** 30).toFixed(1)} GiB`
  throw new Error(`${directory}: ${gibibytes(bytes)} of free disk needed, ${gibibytes(bavail * bsize)} there`)
}
