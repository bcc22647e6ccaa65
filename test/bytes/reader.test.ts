import { describe, expect, test } from 'vitest';
import { ByteReader, exactReadLimit } from '../../packages/core/src/bytes/reader.ts';
import { failure, gather, inRuns } from '../tar/streams.ts';
import fc from '../support/fast-check.ts';

const count = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i % 251);

describe('ByteReader', () => {
  test('reads the same bytes in whatever way and from whatever runs', async () => {
    const steps = fc.array(fc.record({ how: fc.constantFrom('peek', 'take', 'run', 'skip', 'drop', 'stream'), n: fc.nat(3000) }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.nat(60_000), fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 5 }), steps, async (size, lengths, plan) => {
        const bytes = count(size);
        const reader = new ByteReader(inRuns(bytes, lengths), 100);
        let at = 0;
        for (const { how, n } of plan) {
          const next = bytes.subarray(at, at + n);
          if (how === 'peek') expect(Buffer.compare(await reader.peek(n), next)).toBe(0);
          else if (how === 'skip') at += await reader.skip(n);
          else if (how === 'drop') {
            const seen = await reader.peek(n);
            reader.drop(seen.length);
            at += seen.length;
          } else if (how === 'run') {
            const run = await reader.run(n);
            if (run === undefined) expect(at).toBe(size);
            else {
              expect(run.length > 0 || n === 0).toBe(true);
              expect(Buffer.compare(run, bytes.subarray(at, at + run.length))).toBe(0);
              at += run.length;
            }
          } else if (next.length === n) {
            const got = how === 'take' ? await reader.take(n) : await gather(reader.stream(n));
            expect(Buffer.compare(got, next)).toBe(0);
            at += n;
          }
          expect(reader.offset).toBe(100 + at);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('hands large runs on without copying them, also after a header was taken from their start', async () => {
    const large = count(300_000);
    const reader = new ByteReader(inRuns(large, [large.length]));
    await reader.take(512);
    const run = await reader.run(Infinity);
    expect(run?.buffer).toBe(large.buffer);
    expect(run?.byteOffset).toBe(large.byteOffset + 512);
  });

  test('joins runs that are far too small', async () => {
    const reader = new ByteReader(inRuns(count(100_000), [7]));
    expect((await reader.run(Infinity))?.length).toBeGreaterThanOrEqual(16 * 1024);
  });

  test('says where the input ended when an exact read comes up short, and reads nothing then', async () => {
    const reader = new ByteReader(inRuns(count(10), [3]), 1000);
    await reader.take(4);
    expect(await failure(reader.take(7))).toMatchObject({ code: 'SIZE_MISMATCH', details: { offset: 1010, expected: 7, actual: 6 } });
    expect(await reader.peek(7)).toEqual(count(10).subarray(4));
    expect(await failure(gather(reader.stream(7)))).toMatchObject({ code: 'SIZE_MISMATCH', details: { offset: 1010 } });
  });

  test('refuses exact reads above the limit and of no sensible length', async () => {
    const reader = new ByteReader(inRuns(count(10)));
    for (const n of [exactReadLimit + 1, -1, 1.5, Number.NaN]) {
      expect(await failure(() => reader.peek(n))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  test('closes its source once, and not a source that ended or failed by itself', async () => {
    let closed = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield count(5);
        throw new Error('medium');
      } finally {
        closed++;
      }
    }
    let returns = 0;
    const early = new ByteReader({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: count(5) }),
        return: async () => ({ done: true, value: ++returns }),
      }),
    });
    await early.take(1);
    await early.close();
    await early.close();
    expect(returns).toBe(1);
    expect(await early.skip(100)).toBe(4);
    const broken = new ByteReader(source());
    await expect(broken.take(6)).rejects.toThrow('medium');
    await broken.close();
    expect(closed).toBe(1);
  });

  test('waits only for what has not arrived, and drops nothing else', async () => {
    const reader = new ByteReader(inRuns(count(50_000), [20_000]));
    await reader.peek(1);
    expect(reader.skip(100)).toBe(100);
    expect(reader.skip(-1)).toBe(0);
    expect(reader.run(20_000)).toEqual(count(20_000).subarray(100));
    expect(reader.offset).toBe(20_000);
    expect(reader.run(1)).toBeInstanceOf(Promise);
    const fresh = new ByteReader(inRuns(count(100)));
    await fresh.peek(10);
    expect(await failure(() => fresh.drop(101))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(fresh.offset).toBe(0);
  });
});
