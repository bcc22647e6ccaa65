import { describe, expect, it } from 'vitest';
import { BatchThreads } from '../../packages/core/src/runtime/node/batch-threads.ts';

describe('threads that cannot start', () => {
  it('give every batch up, and tell whoever waits for room', async () => {
    let told = 0;
    const threads = new BatchThreads<string, string>(new URL('./no-such-worker.js', import.meta.url), 'tests', () => (told += 1));
    const batches = Array.from({ length: 20 }, () => threads.run({ order: '', input: threads.arena.take(10), outputSize: 10 }, () => 'done'));
    expect(threads.broken).toBe(false);
    expect(await Promise.all(batches)).toEqual(batches.map(() => undefined));
    expect(threads.broken).toBe(true);
    expect(told).toBeGreaterThan(0);
    expect(await threads.run({ order: '', input: threads.arena.take(10), outputSize: 10 }, () => 'done')).toBeUndefined();
  });
});
