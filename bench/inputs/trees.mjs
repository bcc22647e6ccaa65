import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { needSpace } from './cache.mjs'
import { randomBytes, randomNumbers } from './random.mjs'

const MEBIBYTE = 1 << 20

/** A path below the work directory that is made once, under another name first, so that it is whole when it is there. */
function madeOnce({ work, log }, name, space, make) {
  const path = join(work, 'inputs', name)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  needSpace(dirname(path), space)
  log(`making the input ${name} (once; kept as ${path})`)
  rmSync(`${path}.part`, { recursive: true, force: true })
  make(`${path}.part`)
  renameSync(`${path}.part`, path)
  return path
}

/** 20,000 files of 100 to 8,100 bytes in 200 directories. */
export function manyFiles(context) {
  return madeOnce(context, 'tree-20000', 200 * MEBIBYTE, (path) => {
    const bytes = randomBytes(51)
    const number = randomNumbers(52)
    for (let i = 0; i < 20_000; i += 1) {
      const directory = join(path, `directory-${Math.floor(i / 100)}`)
      if (i % 100 === 0) mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, `file-${i}.txt`), bytes(100 + (number() % 8000)))
    }
  })
}

/** A directory with one file of 1 GiB. */
export function oneFile(context) {
  return madeOnce(context, 'tree-1g', 1100 * MEBIBYTE, (path) => {
    const bytes = randomBytes(53)
    mkdirSync(path)
    const file = openSync(join(path, 'file'), 'w')
    for (let i = 0; i < 1024; i += 1) writeSync(file, bytes(MEBIBYTE))
    closeSync(file)
  })
}
