import { describe, expect, it } from 'vitest';
import type { ByteStream } from '../../packages/core/src/bytes/types.ts';
import { codecs } from '../../packages/core/src/compression/codecs.ts';
import { OciTarError } from '../../packages/core/src/errors.ts';
import { collect, concat, cut, outcome, prose, watched } from './streams.ts';
import fc from '../support/fast-check.ts';

const lengths = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 });
const big = prose(400_000);

describe.each(codecs)('$name', (codec) => {
  it('gives back what it was given, however the bytes are cut on either side', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), lengths, lengths, async (bytes, first, second) => {
        const compressed = await collect(codec.compress(cut(bytes, first)));
        expect(await collect(codec.decompress(cut(compressed, second)))).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
  });

  it('gives back several blocks, and the same compressed bytes for every cut', async () => {
    const expected = await collect(codec.compress(cut(big, [big.length])));
    expect(Buffer.compare(await collect(codec.decompress(cut(expected))), big)).toBe(0);
    for (const cuts of [[131072], [1000, 70_000], [131073, 1], [4095]]) {
      expect(Buffer.compare(await collect(codec.compress(cut(big, cuts))), expected)).toBe(0);
    }
  });

  it('takes empty runs and Buffers that lie inside a larger one', async () => {
    const pool = Buffer.from(concat(new Uint8Array(1001), big));
    async function* source(): ByteStream {
      yield new Uint8Array(0);
      yield pool.subarray(1001, 2000);
      yield new Uint8Array(0);
      yield pool.subarray(2000);
    }
    const compressed = Buffer.from(concat(new Uint8Array(77), await collect(codec.compress(source())))).subarray(77);
    async function* again(): ByteStream {
      yield compressed.subarray(0, 0);
      yield compressed;
    }
    expect(Buffer.compare(await collect(codec.decompress(again())), big)).toBe(0);
  });

  it('hands out runs of 64 KiB and more', async () => {
    const compressed = await collect(codec.compress(cut(big)));
    const sizes: number[] = [];
    for await (const run of codec.decompress(cut(compressed))) sizes.push(run.length);
    expect(sizes.slice(0, -1).every((size) => size >= 64 * 1024)).toBe(true);
  });

  it('lets exactly as many bytes out as the limit allows', async () => {
    const compressed = await collect(codec.compress(cut(big)));
    expect(await collect(codec.decompress(cut(compressed), { limit: big.length }))).toHaveLength(big.length);
    for (const limit of [big.length - 1, 100_000, 1, 0]) {
      let seen = 0;
      const read = async () => {
        for await (const run of codec.decompress(cut(compressed), { limit })) seen += run.length;
      };
      await expect(read()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit } });
      expect(seen).toBeLessThanOrEqual(limit);
    }
  });

  it.each([-1, 1.5, Number.NaN])('refuses %s as a limit', (limit) => {
    expect(() => codec.decompress(cut(big), { limit })).toThrow(OciTarError);
  });

  it('passes an error of the input on as it is', async () => {
    const reason = new Error('the disk is gone');
    const compressed = await collect(codec.compress(cut(big)));
    const failing = (bytes: Uint8Array) =>
      (async function* (): ByteStream {
        yield bytes.subarray(0, 1000);
        throw reason;
      })();
    await expect(collect(codec.compress(failing(big)))).rejects.toBe(reason);
    await expect(collect(codec.decompress(failing(compressed)))).rejects.toBe(reason);
  });

  it('gives the input up when its reader leaves early', async () => {
    const plain = watched(prose(3_000_000), [100_000]);
    for await (const _ of codec.compress(plain.stream)) break;
    expect(plain.closed).toBe(true);
    const packed = watched(await collect(codec.compress(cut(prose(3_000_000)))), [10_000]);
    for await (const _ of codec.decompress(packed.stream)) break;
    expect(packed.closed).toBe(true);
    expect(packed.reads).toBeLessThan(60);
  });

  it('reads no more of its input than its reader asks for', async () => {
    const noise = new Uint8Array(8_000_000);
    for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
    const plain = watched(noise, [100_000]);
    const iterator = codec.compress(plain.stream)[Symbol.asyncIterator]();
    await iterator.next();
    const reads = plain.reads;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(plain.reads).toBe(reads);
    expect(reads).toBeLessThan(30);
    await iterator.return?.();
    expect(plain.closed).toBe(true);
  });
});

describe.each(codecs.filter((codec) => codec.name !== 'none'))('$name against broken input', (codec) => {
  const text = prose(700);

  it('notices truncation at every byte', async () => {
    const compressed = await collect(codec.compress(cut(text)));
    for (let length = 0; length < compressed.length; length++) {
      const error: unknown = await collect(codec.decompress(cut(compressed.subarray(0, length)))).catch((error: unknown) => error);
      expect(error).toMatchObject({ code: 'INVALID_COMPRESSION' });
      expect(String(error)).toMatch(/ends too early|no (gzip|zstd)/);
    }
  });

  it('never takes flipped bits for good data', async () => {
    const compressed = await collect(codec.compress(cut(text)));
    const expected = Buffer.from(text).toString('hex');
    let refused = 0;
    for (let bit = 0; bit < compressed.length * 8; bit++) {
      const flipped = compressed.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = await outcome(codec.decompress(cut(flipped), { limit: 1_000_000 }));
      expect([expected, 'INVALID_COMPRESSION', 'LIMIT_EXCEEDED', 'UNSUPPORTED']).toContain(result);
      if (result !== expected) refused++;
    }
    // What a header says of time, system and window may change without changing the content.
    expect(refused).toBeGreaterThan(compressed.length * 8 - 90);
  });

  it('fails alike for every cut', async () => {
    const compressed = await collect(codec.compress(cut(text)));
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: compressed.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.uint8Array({ maxLength: 12 }),
        lengths,
        async (at, change, tail, cuts) => {
          const bytes = concat(compressed, tail);
          bytes[at] = (bytes[at] ?? 0) ^ change;
          const whole = await outcome(codec.decompress(cut(bytes, [bytes.length]), { limit: 100_000 }));
          expect(await outcome(codec.decompress(cut(bytes, cuts), { limit: 100_000 }))).toBe(whole);
          expect(await outcome(codec.decompress(cut(bytes, [1]), { limit: 100_000 }))).toBe(whole);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('refuses noise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
        expect(await outcome(codec.decompress(cut(noise), { limit: 100_000 }))).toBe('INVALID_COMPRESSION');
      }),
      { numRuns: 200 },
    );
  });

  it('runs many streams at once without mixing them', async () => {
    const texts = Array.from({ length: 8 }, (_, index) => prose(200_000 + index, index));
    const compressed = await Promise.all(texts.map((text) => collect(codec.compress(cut(text, [30_000])))));
    const back = await Promise.all(compressed.map((bytes) => collect(codec.decompress(cut(bytes, [7000])))));
    back.forEach((bytes, index) => expect(Buffer.compare(bytes, texts[index] ?? new Uint8Array(0))).toBe(0));
  });

  it.each([0, -1, 2.5, 99])('refuses level %s', (level) => {
    expect(() => codec.compress(cut(text), { level })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
