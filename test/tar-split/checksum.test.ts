import { expect, it } from 'vitest';
import { decodeBase64, encodeBase64, base64Length } from '../../packages/core/src/tar/split/base64.ts';
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
