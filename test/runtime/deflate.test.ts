import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { deflateRaw as portable } from '../../packages/core/src/runtime/default/deflate.ts';
import { deflateRaw } from '../../packages/core/src/runtime/node/deflate.ts';
import { prose } from '../compression/streams.ts';

describe('deflate in threads', () => {
  it('gives what zlib gives, for any number of jobs at once, large and small', async () => {
    const inputs = [0, 1, 511, 30_000, 300_000, 1_200_000].flatMap((length, seed) => [prose(length, seed + 1), crypto.getRandomValues(new Uint8Array(Math.min(length, 65_536)))]);
    const many = Array.from({ length: 20 }, () => inputs).flat();
    const results = await Promise.all(many.map((bytes, at) => deflateRaw([bytes.subarray(0, 100), bytes.subarray(100)], 1 + (at % 9))));
    for (const [at, { data, crc }] of results.entries()) {
      const bytes = many[at] ?? new Uint8Array(0);
      expect(crc).toBe(crc32(bytes));
      expect(Buffer.compare(inflateRawSync(data), bytes)).toBe(0);
      // Each of the levels once is enough to see that it is the level asked for.
      if (at < 12) expect(Buffer.compare(data, deflateRawSync(bytes, { level: 1 + (at % 9), memLevel: 6 }))).toBe(0);
    }
  });

  it('uses level 6 where none is named', async () => {
    const bytes = prose(50_000);
    expect(Buffer.compare((await deflateRaw([bytes])).data, deflateRawSync(bytes, { level: 6, memLevel: 6 }))).toBe(0);
  });
});

describe('deflate elsewhere than on Node', () => {
  it('gives what inflates to the same, with its CRC-32', async () => {
    for (const bytes of [new Uint8Array(0), prose(200_000)]) {
      const { data, crc } = await portable([bytes.subarray(0, 1000), bytes.subarray(1000)]);
      expect(crc).toBe(crc32(bytes));
      expect(Buffer.compare(inflateRawSync(data), bytes)).toBe(0);
    }
  });

  it('has no levels', async () => {
    await expect(portable([new Uint8Array(1)], 9)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
