import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { abortable, bufferedSink, bytesSource, coalesced, collect, counted, isOciTarError, readSource, sliceSource } from '@oci-tar/core';
import type { ByteStream } from '@oci-tar/core';
import { transformedSink } from '../../packages/core/src/bytes/channel.ts';
import { MemorySink, cut } from '../support/sinks.ts';
import fc from '../support/fast-check.ts';

const bytes = fc.uint8Array({ maxLength: 500 });
const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 });
const whole = (stream: ByteStream) => collect(stream, 1_000_000, 'test');

describe('a stream', () => {
  it('is the same bytes after it was counted, coalesced and made abortable, however it was cut', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, sizes, fc.integer({ min: 1, max: 100 }), async (data, cuts, run) => {
        let count = 0;
        const signal = new AbortController().signal;
        const stream = coalesced(abortable(counted(cut(data, cuts), (n) => (count += n)), signal), run);
        expect(Buffer.compare(await whole(stream), data)).toBe(0);
        expect(count).toBe(data.byteLength);
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
      }),
    );
  });

  it('coalesced has runs of at least the size, but for the last, and passes big ones on uncopied', async () => {
    const big = new Uint8Array(100);
    const runs: Uint8Array[] = [];
    async function* source() {
      yield big;
      for (let i = 0; i < 25; i++) yield new Uint8Array(4);
    }
    for await (const run of coalesced(source(), 40)) runs.push(run);
    expect(runs.map((run) => run.byteLength)).toEqual([100, 40, 40, 20]);
    expect(runs[0]).toBe(big);
  });

  it('coalesced joins neighbours in memory without a copy', async () => {
    const memory = new Uint8Array(100);
    const runs: Uint8Array[] = [];
    async function* source() {
      for (const [start, end] of [[10, 20], [20, 50], [60, 90], [0, 30]] as const) yield memory.subarray(start, end);
    }
    for await (const run of coalesced(source(), 40)) runs.push(run);
    expect(runs.map(({ buffer, byteOffset, byteLength }) => [buffer === memory.buffer, byteOffset, byteLength])).toEqual([[true, 10, 40], [false, 0, 60]]);
  });

  it('stops at an abort with its reason, also while a chunk is waited for that never comes, and lets its source go', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    let returned = false;
    const hanging: ByteStream = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: async () => {
          returned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const reading = whole(abortable(hanging, controller.signal));
    setTimeout(() => controller.abort(reason), 5);
    await expect(reading).rejects.toBe(reason);
    expect(returned).toBe(true);
    await expect(whole(abortable(cut(new Uint8Array(5)), controller.signal))).rejects.toBe(reason);
  });

  it('is not collected past its limit', async () => {
    await expect(collect(cut(new Uint8Array(100), [10]), 99, 'the thing')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('the thing') as string });
    expect(await collect(cut(new Uint8Array(100), [10]), 100, 'the thing')).toHaveLength(100);
  });
});

describe('a source', () => {
  it('gives any range of a slice of a slice', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.nat(500), { minLength: 6, maxLength: 6 }), async (data, points) => {
        let source = bytesSource(data);
        let expected = data;
        for (let i = 0; i < 6; i += 2) {
          const [start = 0, end = 0] = points.slice(i, i + 2).map((point) => Math.min(point, source.size)).sort((a, b) => a - b);
          source = sliceSource(source, start, end);
          expected = expected.subarray(start, end);
        }
        expect(Buffer.compare(await readSource(source, 1000, 'test'), expected)).toBe(0);
      }),
    );
  });

  it.each([
    [-1, 2],
    [2, 1],
    [0, 11],
    [0.5, 2],
    [0, Number.NaN],
  ])('refuses the range %d..%d of ten bytes', async (start, end) => {
    const source = bytesSource(new Uint8Array(10));
    await expect(whole(source.read(start, end))).rejects.toSatisfy((error) => isOciTarError(error, 'INVALID_ARGUMENT'));
    expect(() => sliceSource(source, start, end)).toThrow();
  });
});

describe('a sink', () => {
  it('buffered or transformed gets the same bytes in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(bytes, sizes, fc.integer({ min: 1, max: 100 }), async (data, cuts, size) => {
        const target = new MemorySink();
        const sink = transformedSink(bufferedSink(target, size), (stream) => coalesced(stream, 7));
        for await (const chunk of cut(data, cuts)) await sink.write(chunk);
        await sink.commit();
        expect(target.ended).toBe('committed');
        expect(Buffer.compare(target.bytes, data)).toBe(0);
      }),
    );
  });

  it('transformed passes on the failure of its target and of its transform', async () => {
    const failure = new Error('no');
    const target = new MemorySink();
    target.write = async () => {
      throw failure;
    };
    const failing = transformedSink(target, (stream) => stream);
    await expect(
      (async () => {
        for (let i = 0; i < 5; i++) await failing.write(new Uint8Array(1));
        await failing.commit();
      })(),
    ).rejects.toBe(failure);
    const broken = transformedSink(new MemorySink(), async function* () {
      yield new Uint8Array(1);
      throw failure;
    });
    await expect(
      (async () => {
        for (let i = 0; i < 5; i++) await broken.write(new Uint8Array(1));
        await broken.commit();
      })(),
    ).rejects.toBe(failure);
  });

  it('transformed and given up aborts its target', async () => {
    const target = new MemorySink();
    const sink = transformedSink(target, (stream) => stream);
    await sink.write(new Uint8Array(10));
    await sink.abort(new Error('enough'));
    expect(target.ended).toBe('aborted');
  });
});
