const prime1 = 0x9e3779b185ebca87n;
const prime2 = 0xc2b2ae3d27d4eb4fn;
const prime3 = 0x165667b19e3779f9n;
const prime4 = 0x85ebca77c2b2ae63n;
const prime5 = 0x27d4eb2f165667c5n;
const mask = 0xffffffffffffffffn;

const prime1Low = 0x85ebca87;
const prime1High = 0x9e3779b1;
const prime2Low = 0x27d4eb4f;
const prime2High = 0xc2b2ae3d;

const stripe = 32;

/** XXH64 with seed 0 (the xxHash specification): the checksum of zstd frames is its low 32 bits. */
export class XxHash64 {
  /** Four lanes, low half before high half. BigInt in the loop would be some fifty times slower. */
  readonly #lanes = new Int32Array(8);
  readonly #rest = new Uint8Array(stripe);
  #restLength = 0;
  #length = 0n;

  constructor() {
    const start = [prime1 + prime2, prime2, 0n, -prime1];
    start.forEach((lane, index) => {
      this.#lanes[2 * index] = Number(BigInt.asIntN(32, lane));
      this.#lanes[2 * index + 1] = Number(BigInt.asIntN(32, lane >> 32n));
    });
  }

  update(bytes: Uint8Array): void {
    this.#length += BigInt(bytes.length);
    let used = 0;
    if (this.#restLength > 0) {
      used = Math.min(stripe - this.#restLength, bytes.length);
      this.#rest.set(bytes.subarray(0, used), this.#restLength);
      this.#restLength += used;
      if (this.#restLength < stripe) return;
      this.#stripes(this.#rest);
      this.#restLength = 0;
    }
    const whole = used + Math.floor((bytes.length - used) / stripe) * stripe;
    if (whole > used) this.#stripes(bytes.subarray(used, whole));
    this.#rest.set(bytes.subarray(whole));
    this.#restLength = bytes.length - whole;
  }

  /** The 64-bit hash of all bytes so far. */
  digest(): bigint {
    let hash = prime5;
    if (this.#length >= stripe) {
      const [a, b, c, d] = [this.#lane(0), this.#lane(1), this.#lane(2), this.#lane(3)];
      hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & mask;
      for (const lane of [a, b, c, d]) hash = ((hash ^ round(0n, lane)) * prime1 + prime4) & mask;
    }
    hash = (hash + this.#length) & mask;
    const view = new DataView(this.#rest.buffer);
    let at = 0;
    for (; at + 8 <= this.#restLength; at += 8) {
      hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * prime1 + prime4) & mask;
    }
    if (at + 4 <= this.#restLength) {
      hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * prime1) & mask), 23n) * prime2 + prime3) & mask;
      at += 4;
    }
    for (; at < this.#restLength; at++) {
      hash = (rotate(hash ^ ((BigInt(view.getUint8(at)) * prime5) & mask), 11n) * prime1) & mask;
    }
    hash = ((hash ^ (hash >> 33n)) * prime2) & mask;
    hash = ((hash ^ (hash >> 29n)) * prime3) & mask;
    return hash ^ (hash >> 32n);
  }

  #lane(index: number): bigint {
    const low = BigInt.asUintN(32, BigInt(this.#lanes[2 * index] ?? 0));
    return (BigInt.asUintN(32, BigInt(this.#lanes[2 * index + 1] ?? 0)) << 32n) | low;
  }

  #stripes(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // The lanes do not touch each other, so each runs through the bytes alone with its halves in registers.
    for (let lane = 0; lane < 4; lane++) {
      let low = this.#lanes[2 * lane] ?? 0;
      let high = this.#lanes[2 * lane + 1] ?? 0;
      for (let at = 8 * lane; at < bytes.length; at += stripe) {
        const inputLow = view.getInt32(at, true);
        const inputHigh = view.getInt32(at + 4, true);
        const productLow = Math.imul(inputLow, prime2Low);
        const productHigh =
          highHalf(inputLow, prime2Low) + Math.imul(inputHigh, prime2Low) + Math.imul(inputLow, prime2High);
        const sumLow = (low + productLow) | 0;
        const carry = sumLow >>> 0 < productLow >>> 0 ? 1 : 0;
        const sumHigh = (high + productHigh + carry) | 0;
        const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
        const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
        low = Math.imul(turnedLow, prime1Low);
        high =
          (highHalf(turnedLow, prime1Low) + Math.imul(turnedHigh, prime1Low) + Math.imul(turnedLow, prime1High)) | 0;
      }
      this.#lanes[2 * lane] = low;
      this.#lanes[2 * lane + 1] = high;
    }
  }
}

/** The upper 32 bits of the unsigned product of two 32-bit numbers. */
function highHalf(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16);
  const cross = Math.imul(aLow, bHigh) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) | 0;
}

function round(lane: bigint, input: bigint): bigint {
  return (rotate((lane + input * prime2) & mask, 31n) * prime1) & mask;
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & mask;
}
