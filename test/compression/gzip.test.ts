import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { gzip } from '../../packages/core/src/compression/gzip.ts';
import { collect, concat, cut, prose } from './streams.ts';

const text = prose(5000);
const plain = await collect(gzip.compress(cut(text)));

/** A member whose header bears the fields that these flags announce. */
function member(flags: number, fields: readonly number[] | Uint8Array): Uint8Array {
  const head = plain.slice(0, 10);
  head[3] = flags;
  return concat(head, Uint8Array.from(fields), plain.subarray(10));
}

const decompress = (bytes: Uint8Array, limit?: number) =>
  collect(gzip.decompress(cut(bytes), limit === undefined ? {} : { limit }));

describe('gzip.compress', () => {
  it('writes a header without time, name and system', () => {
    expect([...plain.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
  });

  it('writes what Node reads, at every level', async () => {
    for (let level = 1; level <= 9; level++) {
      const compressed = await collect(gzip.compress(cut(text), { level }));
      expect(Buffer.compare(gunzipSync(compressed), text)).toBe(0);
      expect(compressed[9]).toBe(255);
    }
  });

  it('writes at level 4 unless told otherwise', async () => {
    expect(await collect(gzip.compress(cut(text), { level: 4 }))).toEqual(plain);
  });

  it('makes a member of nothing', async () => {
    const compressed = await collect(gzip.compress(cut(new Uint8Array(0))));
    expect(gunzipSync(compressed)).toHaveLength(0);
    expect(await decompress(compressed)).toHaveLength(0);
  });
});

describe('gzip.decompress', () => {
  it('reads all members, large, small and empty', async () => {
    const large = prose(700_000, 7);
    const empty = gzipSync('');
    const members = concat(plain, gzipSync(large), empty, empty, plain, gzipSync(prose(300_000)), gzipSync('end'));
    const expected = concat(text, large, text, prose(300_000), Buffer.from('end'));
    for (const cuts of [[members.length], [65536], [1013], [18, 1]]) {
      expect(Buffer.compare(await collect(gzip.decompress(cut(members, cuts))), expected)).toBe(0);
    }
  });

  it('ignores zeros after the last member', async () => {
    for (const zeros of [1, 7, 512, 200_000]) {
      expect(await decompress(concat(plain, plain, new Uint8Array(zeros)))).toHaveLength(2 * text.length);
    }
  });

  it.each([
    ['right after the last member', [1], 0],
    ['after zeros', [0, 0, 0, 9, 0], 3],
    ['another member after zeros', [0, 0, 0, 0, ...plain], 4],
    ['half a magic number', [0x1f, 0x8c], 0],
  ])('refuses other bytes: %s', async (_, tail, at) => {
    await expect(decompress(concat(plain, Uint8Array.from(tail)))).rejects.toMatchObject({
      code: 'INVALID_COMPRESSION',
      details: { offset: plain.length + at },
    });
  });

  it('calls a further member that was cut off truncated', async () => {
    for (const length of [1, 2, 9, 10, 11, plain.length - 1]) {
      await expect(decompress(concat(plain, plain.subarray(0, length)))).rejects.toThrow(/ends too early/);
    }
  });

  it('reads past every optional header field', async () => {
    const name = [...Buffer.from('layer.tar'), 0];
    expect(await decompress(member(0x01, []))).toEqual(text);
    expect(await decompress(member(0x04, [3, 0, 1, 2, 3]))).toEqual(text);
    expect(await decompress(member(0x18, [...name, 0]))).toEqual(text);
    expect(await decompress(member(0x1c, [1, 0, 255, ...name, ...name]))).toEqual(text);
  });

  it('checks the checksum of the header where there is one', async () => {
    const good = member(0x02, [0, 0]);
    const head = good.slice(0, 10);
    const crc = (await import('node:zlib')).crc32(head) & 0xffff;
    good.set([crc & 255, crc >> 8], 10);
    expect(await decompress(good)).toEqual(text);
    good[10] = (good[10] ?? 0) ^ 1;
    await expect(decompress(good)).rejects.toMatchObject({ code: 'INVALID_COMPRESSION', details: { offset: 10 } });
  });

  it('limits names and comments', async () => {
    const name = new Uint8Array(70_000).fill(0x61);
    await expect(decompress(member(0x08, name))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it.each([
    ['another compression method', 2, 7],
    ['reserved flags', 3, 0x20],
  ])('refuses %s', async (_, offset, value) => {
    const bytes = plain.slice();
    bytes[offset] = value;
    await expect(decompress(bytes)).rejects.toMatchObject({ code: 'INVALID_COMPRESSION', details: { offset } });
  });

  it('says which of CRC-32 and length is wrong, and where', async () => {
    const crc = plain.slice();
    crc[plain.length - 8] = (crc[plain.length - 8] ?? 0) ^ 1;
    await expect(decompress(crc)).rejects.toMatchObject({
      message: expect.stringContaining('CRC-32'),
      details: { offset: plain.length - 8 },
    });
    const size = plain.slice();
    size[plain.length - 1] = 9;
    await expect(decompress(size)).rejects.toMatchObject({ details: { offset: plain.length - 4, actual: text.length } });
  });

  it('stops a bomb at its limit without decoding it', async () => {
    const bomb = gzipSync(new Uint8Array(50_000_000));
    let most = 0;
    const read = async () => {
      for await (const run of gzip.decompress(cut(bomb), { limit: 1_000_000 })) most = Math.max(most, run.length);
    };
    await expect(read()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(most).toBeLessThanOrEqual(1_000_000);
  });
});
