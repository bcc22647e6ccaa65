import { crc32, inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { deflateRaw as portable } from '../../packages/core/src/runtime/default/deflate.ts';
import { Deflater } from '../../packages/core/src/runtime/deflater.js';
import { deflateRaw } from '../../packages/core/src/runtime/node/deflate.ts';
import { prose } from '../compression/streams.ts';

const room = { before: 10, after: 8 };

describe('deflate in threads and without', () => {
  it.each([
    ['in threads', deflateRaw],
    ['without', portable],
  ])('gives the same bytes and the CRC-32 with the room asked for, for any number of jobs at once, large and small: %s', async (_, deflate) => {
    const inputs = [0, 1, 511, 30_000, 300_000, 1_200_000].flatMap((length, seed) => [prose(length, seed + 1), crypto.getRandomValues(new Uint8Array(Math.min(length, 65_536)))]);
    const many = Array.from({ length: 12 }, () => inputs).flat();
    const results = await Promise.all(many.map((bytes, at) => deflate([bytes.subarray(0, 100), bytes.subarray(100)], 1 + (at % 9), room)));
    const deflater = new Deflater();
    for (const [at, { data, crc }] of results.entries()) {
      const bytes = many[at] ?? new Uint8Array(0);
      expect(crc).toBe(crc32(bytes));
      const pieces: Uint8Array[] = [];
      for (const piece of deflater.deflate(bytes, 1 + (at % 9))) pieces.push(piece.slice());
      expect(Buffer.compare(data.subarray(room.before, -room.after), Buffer.concat(pieces))).toBe(0);
      expect(Buffer.compare(inflateRawSync(Buffer.concat(pieces)), bytes)).toBe(0);
    }
  });
});
