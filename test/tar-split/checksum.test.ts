import { expect, it, vi } from 'vitest';
import { decodeBase64, encodeBase64, base64Length } from '../../packages/core/src/tar/split/base64.ts';
import { crc64Fold } from '../../packages/core/src/tar/split/crc64-fold.ts';
import { Crc64, crc64 } from '../../packages/core/src/tar/split/crc64.ts';
import fc from '../support/fast-check.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

it.each([
  ['', '0000000000000000'],
  ['imma hurr til I derp', '0274a4b1abec6b4e'],
  ['123456789', 'b90956c775a41001'],
])('the CRC-64 of %j is that of Go', (text, expected) => {
  expect(hex(crc64(Buffer.from(text)))).toBe(expected);
});

/** Bit by bit, from the definition. */
function slowly(bytes: Uint8Array): string {
  let crc = (1n << 64n) - 1n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 0n ? crc >> 1n : (crc >> 1n) ^ 0xd800000000000000n;
  }
  return (crc ^ ((1n << 64n) - 1n)).toString(16).padStart(16, '0');
}

it('the CRC-64 is that of its definition, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(7), (bytes, cut, shift) => {
      // Not at the start of its buffer.
      const shifted = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift);
      const crc = new Crc64();
      crc.update(shifted.subarray(0, cut));
      crc.update(shifted.subarray(cut));
      expect(hex(crc.sum())).toBe(slowly(bytes));
    }),
  );
});

/** In pieces that are too short to be folded. */
function inPieces(bytes: Uint8Array): string {
  const crc = new Crc64();
  for (let at = 0; at < bytes.length; at += 1000) crc.update(bytes.subarray(at, at + 1000));
  return hex(crc.sum());
}

/** Bytes without a pattern, `start` of them left out. */
function noise(size: number, start = 0): Uint8Array {
  return Uint8Array.from({ length: start + size }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24).subarray(start);
}

it('the CRC-64 of long runs is that of its definition', () => {
  expect(hex(crc64(noise(5000)))).toBe(slowly(noise(5000)));
});

it.each([4095, 4096, 4097, 4111, 4112, 32_767, 32_768, 32_784, 33_808, 65_536 + 1040, 200_003])('the CRC-64 of %i bytes at once is that of short pieces of them', (size) => {
  const [first, second] = [noise(size, 3), noise(size, 16)];
  const crc = new Crc64();
  crc.update(first);
  crc.update(second);
  expect(hex(crc.sum())).toBe(inPieces(Buffer.concat([first, second])));
});

it('the CRC-64 is the same without WebAssembly', async () => {
  vi.stubGlobal('WebAssembly', undefined);
  vi.resetModules();
  try {
    const plain = await import('../../packages/core/src/tar/split/crc64.ts');
    const { crc64Fold } = await import('../../packages/core/src/tar/split/crc64-fold.ts');
    expect(crc64Fold()).toBeUndefined();
    expect(hex(plain.crc64(noise(100_000)))).toBe(inPieces(noise(100_000)));
  } finally {
    vi.unstubAllGlobals();
    vi.resetModules();
  }
});

it('long runs are folded where there is WebAssembly', () => {
  expect(crc64Fold()).toBeDefined();
});

it('base64 is that of Node both ways, and what is none is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(200), fc.integer({ min: 0, max: 255 }), (bytes, at, byte) => {
      const target = new Uint8Array(base64Length(bytes.length) + 2);
      encodeBase64(bytes, target, 1);
      const text = Buffer.from(bytes).toString('base64');
      expect(Buffer.from(target).toString('latin1')).toBe(`\0${text}\0`);
      expect(decodeBase64(Buffer.from(text))).toEqual(bytes);
      const damaged = Buffer.from(text);
      if (at < damaged.length) damaged[at] = byte;
      const valid = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(damaged.toString('latin1'));
      expect(decodeBase64(damaged) !== undefined).toBe(valid);
    }),
  );
  expect(decodeBase64(Buffer.from('YQ='))).toBeUndefined();
});
