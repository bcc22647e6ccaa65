import { closeSync, openSync, readdirSync, readFileSync, readSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { END, header, padding } from './tar.mjs'

/**
 * Writes an OCI archive from a layout directory in the order in which
 * `ctr images export` writes its own (blobs first, the metadata last), so that
 * no tool is favoured by the order of its own archives.
 */
export function writeArchive(layout, file) {
  const out = openSync(`${file}.part`, 'w')
  const buffer = Buffer.alloc(1 << 20)
  const body = (bytes, name, mode) => {
    writeSync(out, Buffer.concat([header(name, { size: bytes.length, mode }), bytes, Buffer.alloc(padding(bytes.length))]))
  }
  const large = (path, name, size) => {
    writeSync(out, header(name, { size, mode: 0o444 }))
    const source = openSync(path, 'r')
    for (let read = readSync(source, buffer); read > 0; read = readSync(source, buffer)) writeSync(out, buffer, 0, read)
    closeSync(source)
    writeSync(out, Buffer.alloc(padding(size)))
  }
  writeSync(out, header('blobs/', { mode: 0o755, type: '5' }))
  writeSync(out, header('blobs/sha256/', { mode: 0o755, type: '5' }))
  for (const name of readdirSync(join(layout, 'blobs/sha256')).toSorted()) {
    const path = join(layout, 'blobs/sha256', name)
    const { size } = statSync(path)
    if (size <= buffer.length) body(readFileSync(path), `blobs/sha256/${name}`, 0o444)
    else large(path, `blobs/sha256/${name}`, size)
  }
  body(readFileSync(join(layout, 'index.json')), 'index.json', 0o644)
  body(readFileSync(join(layout, 'oci-layout')), 'oci-layout', 0o444)
  writeSync(out, END)
  closeSync(out)
  renameSync(`${file}.part`, file)
}
