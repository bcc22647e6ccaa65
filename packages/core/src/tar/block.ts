/** Everything in a tar archive comes in blocks of this many bytes. */
export const blockSize = 512;

/** Bytes that fill a body up to a whole number of blocks, 0 to 511. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

// Indexed loops: for-of over a Uint8Array takes some seven times as long on V8.

export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Sum of a header's bytes with the checksum field (148..155) taken as spaces. */
export function checksum(block: Uint8Array): number {
  let sum = block.byteOffset % 4 === 0 ? sumOfWords(block) : sumOfBytes(block);
  for (let i = 148; i < 156; i++) sum += 0x20 - (block[i] ?? 0);
  return sum;
}

/** Four bytes at a time, a quarter of the time: two sums in the halves of one number, each of at most 128 * 2 * 255 < 2^16. */
function sumOfWords(block: Uint8Array): number {
  const words = new Uint32Array(block.buffer, block.byteOffset, blockSize / 4);
  let sums = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    sums = (sums + (word & 0xff00ff) + ((word >>> 8) & 0xff00ff)) | 0;
  }
  return (sums & 0xffff) + (sums >>> 16);
}

function sumOfBytes(block: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < blockSize; i++) sum += block[i] ?? 0;
  return sum;
}

/** The same with bytes taken as signed, as some old tars did. */
export function signedChecksum(block: Uint8Array): number {
  let high = 0;
  for (let i = 0; i < blockSize; i++) if ((block[i] ?? 0) >= 0x80 && (i < 148 || i >= 156)) high++;
  return checksum(block) - 0x100 * high;
}
