import { describe, expect, it } from 'vitest';
import { zstd } from '../../packages/core/src/compression/zstd.ts';
import { loadZstd } from '../../packages/core/src/runtime/zstd-wasm.ts';
import { wasmCompressZstd } from '../../packages/core/src/runtime/zstd-wasm-encoder.ts';
import { collect, concat, cut, outcome, prose } from './streams.ts';

const magic = [0x28, 0xb5, 0x2f, 0xfd];
const text = prose(5000);
const plain = await collect(zstd.compress(cut(text)));
const decompress = (bytes: Uint8Array, limit?: number) =>
  collect(zstd.decompress(cut(bytes), limit === undefined ? {} : { limit }));

/** A block header: 0 raw, 1 repeated, 2 compressed, 3 reserved. */
function block(type: number, size: number, last: boolean): number[] {
  const value = (size << 3) | (type << 1) | (last ? 1 : 0);
  return [value & 255, (value >> 8) & 255, value >> 16];
}

/** A frame with a window of 2^(10 + exponent) bytes and neither content size nor checksum. */
const frame = (exponent: number, ...rest: readonly number[]) => Uint8Array.from([...magic, 0, exponent << 3, ...rest]);
const skippable = (nibble: number, content: Uint8Array) =>
  concat(Uint8Array.from([0x50 | nibble, 0x2a, 0x4d, 0x18]), new Uint8Array(Uint32Array.of(content.length).buffer), content);

describe('zstd.compress', () => {
  it('writes one frame with a checksum and without content size', () => {
    expect([...plain.subarray(0, 4)]).toEqual(magic);
    expect(plain[4]).toBe(0b100);
  });

  it('makes a frame of nothing', async () => {
    const compressed = await collect(zstd.compress(cut(new Uint8Array(0))));
    expect(compressed.length).toBeLessThan(20);
    expect(await decompress(compressed)).toHaveLength(0);
  });

  it('compresses better at higher levels', async () => {
    const bytes = prose(300_000);
    const sizes: number[] = [];
    for (const level of [1, 19]) {
      const compressed = await collect(zstd.compress(cut(bytes), { level }));
      expect(Buffer.compare(await decompress(compressed), bytes)).toBe(0);
      sizes.push(compressed.length);
    }
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  });

  it('lets timers run meanwhile', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await collect(zstd.compress(cut(prose(4_000_000)), { level: 7 }));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(1);
  });
});

describe('zstd.decompress', () => {
  it('reads every frame and skips skippable ones', async () => {
    const bytes = concat(
      skippable(0, Uint8Array.of(1, 2, 3)),
      plain,
      skippable(15, new Uint8Array(0)),
      plain,
      await collect(zstd.compress(cut(prose(300_000)))),
      skippable(7, new Uint8Array(100_000).fill(0xfd)),
    );
    for (const cuts of [[bytes.length], [4096], [3, 1, 7777]]) {
      expect(Buffer.compare(await collect(zstd.decompress(cut(bytes, cuts))), concat(text, text, prose(300_000)))).toBe(0);
    }
  });

  it('takes skippable frames alone for nothing', async () => {
    expect(await decompress(skippable(3, Uint8Array.of(1)))).toHaveLength(0);
  });

  it('reads raw and repeated blocks', async () => {
    const bytes = frame(10, ...block(0, 2, false), 0x61, 0x62, ...block(1, 5, false), 0x63, ...block(0, 0, true));
    expect(Buffer.from(await decompress(bytes)).toString()).toBe('abccccc');
  });

  it.each([
    ['data after the last frame', concat(plain, Uint8Array.of(1, 2, 3, 4)), plain.length],
    ['zeros after the last frame', concat(plain, new Uint8Array(512)), plain.length],
    ['something else', concat(Uint8Array.of(0x1f, 0x8b, 8, 0, 0)), 0],
    ['a reserved bit', Uint8Array.from([...magic, 0x08, 0, ...block(0, 0, true)]), 4],
    ['a reserved block type', frame(10, ...block(3, 0, true)), 6],
    ['a raw block larger than the window', frame(0, ...block(0, 1025, true), ...new Uint8Array(1025)), 6],
    ['a repeated block of more than 128 KiB', frame(10, ...block(1, 131_073, true), 1), 6],
    ['a compressed block of nonsense', frame(10, ...block(2, 6, true), 1, 2, 3, 4, 5, 6), 6],
    ['a second block of nonsense', frame(10, ...block(1, 9, false), 7, ...block(2, 3, true), 0, 0, 0), 10],
  ])('refuses %s', async (_, bytes, offset) => {
    await expect(decompress(bytes)).rejects.toMatchObject({ code: 'INVALID_COMPRESSION', details: { offset } });
  });

  it('goes on to no further frame after one that is broken', async () => {
    expect(await outcome(zstd.decompress(cut(concat(frame(10, ...block(2, 6, true), 1, 2, 3, 4, 5, 6), plain))))).toBe(
      'INVALID_COMPRESSION',
    );
  });

  it('checks the checksum', async () => {
    const bytes = plain.slice();
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await expect(decompress(concat(bytes, plain))).rejects.toMatchObject({
      message: expect.stringContaining('checksum'),
      details: { offset: plain.length - 4 },
    });
  });

  it('checks the content size that a frame announces', async () => {
    const single = (size: number) => Uint8Array.from([...magic, 0x20, size, ...block(0, 2, true), 0x61, 0x62]);
    expect(await decompress(single(2))).toEqual(Uint8Array.of(0x61, 0x62));
    await expect(decompress(single(3))).rejects.toThrow('content of other than 3 bytes');
    expect(await outcome(zstd.decompress(cut(single(1))))).toBe('INVALID_COMPRESSION');
  });

  it('refuses a dictionary that it does not have', async () => {
    const bytes = Uint8Array.from([...magic, 0x01, 0, 42, ...block(0, 0, true)]);
    await expect(decompress(bytes)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    bytes[6] = 0;
    expect(await decompress(bytes)).toHaveLength(0);
  });

  it('takes a window of 128 MiB and none larger', async () => {
    const tail = [...block(1, 3, true), 9];
    expect(await decompress(frame(17, ...tail))).toEqual(Uint8Array.of(9, 9, 9));
    const larger = frame(17, ...tail);
    larger[5] = (17 << 3) | 1;
    await expect(decompress(larger)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 2 ** 27 } });
    await expect(decompress(frame(31, ...tail))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const huge = Uint8Array.from([...magic, 0xe0, 255, 255, 255, 255, 255, 255, 255, 255]);
    await expect(decompress(huge)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('refuses an announced size over the limit before it decodes anything', async () => {
    const bytes = Uint8Array.from([...magic, 0x80, 0, 0, 0, 0, 1]);
    await expect(decompress(bytes, 1_000_000)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('decodes a bomb in small steps and stops at the limit', async () => {
    const blocks = Array.from({ length: 4000 }, () => [...block(1, 131_072, false), 0]).flat();
    let seen = 0;
    let most = 0;
    const read = async () => {
      for await (const run of zstd.decompress(cut(frame(10, ...blocks)), { limit: 3_000_000 })) {
        seen += run.length;
        most = Math.max(most, run.length);
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(most).toBeLessThanOrEqual(262_144);
    expect(seen).toBeLessThanOrEqual(3_000_000);
  });

  it('gives its memory back, whether it ends, fails or is left early', async () => {
    const { HEAPU8: before } = await (async () => {
      await decompress(frame(13, ...block(1, 3, true), 9));
      return loadZstd();
    })();
    const large = frame(13, ...block(1, 131_072, false), 9, ...block(1, 131_072, false), 9);
    for (let round = 0; round < 60; round++) {
      for await (const _ of zstd.decompress(cut(large))) break;
      await outcome(zstd.decompress(cut(large)));
      await outcome(zstd.decompress(cut(concat(large, Uint8Array.from(block(3, 0, true))))));
      for await (const _ of wasmCompressZstd(cut(prose(300_000)), 3)) break;
    }
    expect((await loadZstd()).HEAPU8.length).toBeLessThanOrEqual(before.length + 32 * 2 ** 20);
  });
});
