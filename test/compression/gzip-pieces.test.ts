import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { gzip, gzipInOneRun } from '../../packages/core/src/compression/gzip.ts';
import { collect, cut, prose } from './streams.ts';

const pieceSize = 512 * 1024;
const text = prose(3 * pieceSize + 12_345);

describe('gzip that is compressed in pieces', () => {
  it.each([0, 1, pieceSize - 1, pieceSize, pieceSize + 1, 2 * pieceSize, 2 * pieceSize + 1, text.length])('gives back %i bytes, as one member', async (length) => {
    const bytes = text.subarray(0, length);
    const compressed = await collect(gzip.compress(cut(bytes)));
    expect(Buffer.compare(gunzipSync(compressed), bytes)).toBe(0);
    expect(Buffer.compare(await collect(gzip.decompress(cut(compressed))), bytes)).toBe(0);
  });

  it('has the same bytes however the input is cut', async () => {
    const expected = await collect(gzip.compress(cut(text)));
    for (const cuts of [[text.length], [pieceSize], [pieceSize - 1, 2], [1_000_003], [77_777, 3]]) {
      expect(Buffer.compare(await collect(gzip.compress(cut(text, cuts))), expected)).toBe(0);
    }
  });

  it('is what one run makes as long as there is one piece, at every level', async () => {
    const bytes = text.subarray(0, pieceSize);
    for (let level = 1; level <= 9; level++) {
      const expected = gzipSync(bytes, { level });
      expected[9] = 255;
      expect(Buffer.compare(await collect(gzip.compress(cut(bytes), { level })), expected)).toBe(0);
    }
  });

  it('is hardly larger than what one run makes', async () => {
    const [pieces, oneRun] = [await collect(gzip.compress(cut(text), { level: 6 })), await collect(gzipInOneRun(cut(text), 6))];
    expect(pieces.length).toBeLessThan(oneRun.length * 1.002);
  });
});

describe('gzip in one run', () => {
  it('is what zlib makes of the whole', async () => {
    const expected = gzipSync(text, { level: 6 });
    expected[9] = 255;
    expect(Buffer.compare(await collect(gzipInOneRun(cut(text, [10_007]), 6)), expected)).toBe(0);
  });
});
