const BLOCK = 512
const OCTAL_LIMIT = 8 ** 11

/** How many zero bytes fill a body of `size` bytes up to the next block. */
export const padding = (size) => (BLOCK - (size % BLOCK)) % BLOCK

/** The two zero blocks that end an archive. */
export const END = Buffer.alloc(2 * BLOCK)

function block(name, { size, mode, type }) {
  const header = Buffer.alloc(BLOCK)
  const octal = (value, at, digits) => header.write(value.toString(8).padStart(digits, '0'), at, 'latin1')
  if (Buffer.byteLength(name) > 100) throw new RangeError(`name over 100 bytes: ${name}`)
  header.write(name, 0)
  octal(mode, 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(size < OCTAL_LIMIT ? size : 0, 124, 11)
  octal(0, 136, 11)
  header.write(' '.repeat(8), 148, 'latin1')
  header.write(type, 156, 'latin1')
  header.write('ustar\u000000', 257, 'latin1')
  octal(header.reduce((sum, byte) => sum + byte, 0), 148, 6)
  header[154] = 0
  return header
}

/** One PAX record: its own length counts into its length. */
function record(key, value) {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return Buffer.from(length + rest)
}

/**
 * The header of a file (or, with type '5', of a directory): ustar, with a PAX
 * size in front where the size is 8 GiB or more.
 * @param {string} name at most 100 bytes
 * @param {{ size?: number, mode?: number, type?: string }} [options] size in bytes
 */
export function header(name, { size = 0, mode = 0o644, type = '0' } = {}) {
  if (size < OCTAL_LIMIT) return block(name, { size, mode, type })
  const body = record('size', size)
  return Buffer.concat([
    block('PaxHeader', { size: body.length, mode: 0o644, type: 'x' }),
    body,
    Buffer.alloc(padding(body.length)),
    block(name, { size, mode, type }),
  ])
}

/**
 * A tar of generated files, in pieces of at most 1 MiB.
 * @param {Iterable<{ name: string, size: number }>} files
 * @param {(length: number) => Buffer} bytes the content
 */
export function* tarOf(files, bytes) {
  for (const { name, size } of files) {
    yield header(name, { size })
    for (let left = size; left > 0; left -= 1 << 20) yield bytes(Math.min(left, 1 << 20))
    yield Buffer.alloc(padding(size))
  }
  yield END
}
