import { deflateRawSync, gunzipSync, crc32 as zlibCrc32, constants } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compressGzip, crc32, rawInflater } from '../../packages/core/src/runtime/default/gzip.ts';
import { nextTurn } from '../../packages/core/src/runtime/default/turn.ts';
import * as nodeGzip from '../../packages/core/src/runtime/node/gzip.ts';
import { compressZstd } from '../../packages/core/src/runtime/node/zstd.ts';
import { XxHash64 } from '../../packages/core/src/runtime/xxhash64.ts';
import { loadZstd, zstdVersion } from '../../packages/core/src/runtime/zstd-wasm.ts';
import { wasmCompressZstd } from '../../packages/core/src/runtime/zstd-wasm-encoder.ts';
import { collect, concat, cut, prose, watched } from './streams.ts';
import fc from '../support/fast-check.ts';

async function inflate(bytes: Uint8Array, cuts: readonly number[], inflater = rawInflater()) {
  const runs: Uint8Array[] = [];
  for await (const piece of cut(bytes, cuts)) {
    for await (const run of inflater.write(piece)) runs.push(run);
    if (inflater.ended) break;
  }
  for await (const run of inflater.finish()) runs.push(run);
  const result = { output: concat(...runs), consumed: inflater.consumed };
  inflater.dispose();
  return result;
}

const strategies = [constants.Z_DEFAULT_STRATEGY, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY, constants.Z_RLE];

describe('the portable inflater', () => {
  it('decodes stored, fixed and own codes, however the data is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.uint8Array({ maxLength: 2000 }), fc.nat(3000).map((length) => prose(length))),
        fc.nat(9),
        fc.constantFrom(...strategies),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 }),
        async (bytes, level, strategy, cuts) => {
          const data = deflateRawSync(bytes, { level, strategy });
          const { output, consumed } = await inflate(data, cuts);
          expect(Buffer.compare(output, bytes)).toBe(0);
          expect(consumed).toBe(data.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('decodes more than its window and its output hold', async () => {
    const noise = new Uint8Array(60_000);
    crypto.getRandomValues(noise);
    const bytes = concat(prose(900_000), noise, noise, new Uint8Array(700_000), prose(40_000));
    for (const level of [0, 1, 9]) {
      const { output } = await inflate(deflateRawSync(bytes, { level }), [70_001, 3]);
      expect(Buffer.compare(output, bytes)).toBe(0);
    }
  });

  it('leaves what follows the data, to the byte', async () => {
    const data = deflateRawSync(prose(5000));
    for (const inflater of [rawInflater(), nodeGzip.rawInflater()]) {
      const { consumed } = await inflate(concat(data, prose(300)), [1000], inflater);
      expect(consumed).toBe(data.length);
    }
  });

  it('takes and refuses the same broken data as zlib', async () => {
    const data = deflateRawSync(prose(600));
    const result = async (bytes: Uint8Array, inflater: ReturnType<typeof rawInflater>) => {
      try {
        return Buffer.from((await inflate(bytes, [bytes.length], inflater)).output).toString('latin1');
      } catch {
        return undefined;
      }
    };
    for (let bit = 0; bit < data.length * 8; bit++) {
      const flipped = new Uint8Array(data);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await result(flipped, rawInflater())).toBe(await result(flipped, nodeGzip.rawInflater()));
    }
  });
});

describe('the portable face of gzip', () => {
  const text = prose(300_000);

  it('has the same CRC-32 as zlib, continued over any cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.uint8Array({ maxLength: 500 }), (first, second) => {
        expect(crc32(second, crc32(first, 0))).toBe(zlibCrc32(concat(first, second)));
      }),
    );
  });

  it('compresses with a header that names no system', async () => {
    const compressed = await collect(compressGzip(cut(text), undefined));
    expect([...compressed.subarray(0, 8), compressed[9]]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 255]);
    expect(Buffer.compare(gunzipSync(compressed), text)).toBe(0);
  });

  it('has all levels, and gives the same bytes however the input is cut', async () => {
    const long = concat(prose(1_500_000), text);
    const results = await Promise.all([1, 6, 9].map((level) => collect(compressGzip(cut(long, [1_048_576]), level))));
    for (const [at, level] of [1, 6, 9].entries()) {
      expect(Buffer.compare(gunzipSync(results[at] ?? new Uint8Array(0)), long)).toBe(0);
      expect(Buffer.compare(await collect(compressGzip(cut(long, [70_001, 3]), level)), results[at] ?? new Uint8Array(0))).toBe(0);
    }
    const sizes = results.map(({ length }) => length);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  });

  it('passes errors of the input on and gives it up when left early', async () => {
    const reason = new Error('gone');
    const failing = (async function* () {
      yield text;
      throw reason;
    })();
    await expect(collect(compressGzip(failing, undefined))).rejects.toBe(reason);
    const source = watched(prose(3_000_000), [50_000]);
    let pieces = 0;
    // The first is the header, for which nothing is read.
    for await (const _ of compressGzip(source.stream, undefined)) if (++pieces === 2) break;
    expect(source.closed).toBe(true);
  });

  it('waits for its turn', async () => {
    let turned = false;
    setTimeout(() => (turned = true));
    while (!turned) await nextTurn();
    expect(turned).toBe(true);
  });
});

describe('the two faces of zstd', () => {
  it('know the version of the wasm module', async () => {
    expect((await loadZstd()).zstd.version()).toBe(zstdVersion);
  });

  it('write the same bytes at every level', async () => {
    for (const length of [0, 1, 131_072, 131_073, 400_000]) {
      for (const level of length > 1 ? [1, 3, 4, 7, 13, 19] : [3]) {
        const native = await collect(compressZstd(cut(prose(length), [100_000]), level));
        expect(Buffer.compare(native, await collect(wasmCompressZstd(cut(prose(length), [7001]), level)))).toBe(0);
      }
    }
  });
});

describe('XxHash64', () => {
  // The values of the xxHash specification's own sanity checks and of well-known test strings, seed 0.
  it.each([
    ['', 0xef46db3751d8e999n],
    ['a', 0xd24ec4f1a98c6e5bn],
    ['abc', 0x44bc2cf5ad770999n],
    ['Nobody inspects the spammish repetition', 0xfbcea83c8a378bf1n],
  ])('hashes %j', (text, expected) => {
    const hash = new XxHash64();
    hash.update(new TextEncoder().encode(text));
    expect(hash.digest()).toBe(expected);
  });

  it('does not depend on how the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 12 }), (parts) => {
        const whole = new XxHash64();
        whole.update(concat(...parts));
        const pieces = new XxHash64();
        for (const part of parts) pieces.update(part);
        expect(pieces.digest()).toBe(whole.digest());
      }),
    );
  });
});
