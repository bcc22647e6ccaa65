import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { deflateRaw as portable } from '../../packages/core/src/runtime/default/deflate.ts';
import { deflateRaw } from '../../packages/core/src/runtime/node/deflate.ts';
import { prose } from '../compression/streams.ts';

describe('deflate in threads', () => {
  it('gives what zlib gives, for any number of jobs at once, large and small', async () => {
    const inputs = [0, 1, 511, 30_000, 300_000, 1_200_000].flatMap((length, seed) => [prose(length, seed + 1), crypto.getRandomValues(new Uint8Array(Math.min(length, 65_536)))]);
    const many = Array.from({ length: 20 }, () => inputs).flat();
    const results = await Promise.all(many.map((bytes, at) => deflateRaw([bytes.subarray(0, 100), bytes.subarray(100)], { level: 1 + (at % 9) })));
    for (const [at, { data, crc }] of results.entries()) {
      const bytes = many[at] ?? new Uint8Array(0);
      expect(crc).toBe(crc32(bytes));
      expect(Buffer.compare(inflateRawSync(data), bytes)).toBe(0);
      // Each of the levels once is enough to see that it is the level asked for; the highest ones are one.
      if (at < 12) expect(Buffer.compare(data, deflateRawSync(bytes, { level: Math.min(1 + (at % 9), 7), memLevel: 6 }))).toBe(0);
    }
  });

  it('uses level 6 where none is named', async () => {
    const bytes = prose(50_000);
    expect(Buffer.compare((await deflateRaw([bytes])).data, deflateRawSync(bytes, { level: 6, memLevel: 6 }))).toBe(0);
  });

  it('leaves the room that is asked for around the data', async () => {
    const bytes = prose(5000);
    const { data } = await deflateRaw([bytes], { room: { before: 10, after: 8 } });
    expect(Buffer.compare(data.subarray(10, -8), deflateRawSync(bytes, { level: 6, memLevel: 6 }))).toBe(0);
  });

  it('takes the blocks that make it smallest, where only size counts', async () => {
    const inputs = [prose(200_000), Buffer.concat(Array.from({ length: 40 }, (_, seed) => [prose(2000, seed), crypto.getRandomValues(new Uint8Array(2000))]).flat()), new Uint8Array(0)];
    const chosen = await Promise.all(inputs.map(async (bytes) => (await deflateRaw([bytes], { level: 9, smallest: true })).data));
    for (const [at, bytes] of inputs.entries()) {
      const size = (level: number, memLevel: number) => deflateRawSync(bytes, { level, memLevel }).length;
      const best = [6, 5, 7].reduce((least, tried) => (size(3, tried) < size(3, least) ? tried : least));
      expect(Buffer.compare(chosen[at] ?? new Uint8Array(1), deflateRawSync(bytes, { level: 9, memLevel: best }))).toBe(0);
    }
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
    await expect(portable([new Uint8Array(1)], { level: 9 })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});
