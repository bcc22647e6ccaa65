import { createCipheriv } from 'node:crypto'

/**
 * Bytes that no compressor shortens and that are the same on every machine:
 * the keystream of AES-128-CTR under a key made from the seed.
 * @param {number} seed a 32-bit unsigned integer
 * @returns {(length: number) => Buffer} gives the next `length` bytes
 */
export function randomBytes(seed) {
  const key = Buffer.alloc(16)
  key.writeUInt32BE(seed)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  const zeros = Buffer.alloc(1 << 20)
  return (length) => {
    const pieces = []
    for (let left = length; left > 0; left -= zeros.length) {
      pieces.push(cipher.update(left < zeros.length ? zeros.subarray(0, left) : zeros))
    }
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)
  }
}

/**
 * Whole numbers from the same keystream.
 * @param {number} seed
 * @returns {() => number} gives the next 32-bit unsigned integer
 */
export function randomNumbers(seed) {
  const next = randomBytes(seed)
  let block = new Uint32Array(0)
  let at = 0
  return () => {
    if (at === block.length) {
      const bytes = next(1 << 16)
      block = Uint32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(i * 4))
      at = 0
    }
    return block[at++]
  }
}
