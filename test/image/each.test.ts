import { describe, expect, it } from 'vitest';
import { eachOf } from '../../packages/core/src/image/each.ts';

const tick = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

describe('eachOf', () => {
  it('does all, never more at a time than it may', async () => {
    let now = 0;
    let most = 0;
    const done: number[] = [];
    await eachOf([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      most = Math.max(most, ++now);
      await tick();
      now--;
      done.push(item);
    });
    expect(done.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(most).toBe(3);
  });

  it('lets as many listen for the end as there are, without a warning of a leak', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    await eachOf(Array.from({ length: 30 }), 30, async (_item, signal) => {
      signal.addEventListener('abort', () => {});
      await tick();
    });
    await tick();
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('tells what is under way to stop at the first failure, starts no more, and throws that failure', async () => {
    const failure = new Error('first');
    const started: number[] = [];
    let stopped: unknown;
    const running = eachOf([1, 2, 3, 4], 2, async (item, signal) => {
      started.push(item);
      if (item === 1) throw failure;
      await new Promise<void>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          stopped = signal.reason;
          reject(new Error('second'));
        });
      });
    });
    await expect(running).rejects.toBe(failure);
    expect(started).toEqual([1, 2]);
    expect(stopped).toBe(failure);
  });

  it('passes the abort of its caller on', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const running = eachOf(
      [1],
      1,
      (_item, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      controller.signal,
    );
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});
