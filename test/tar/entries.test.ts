import { describe, expect, test } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import type { TarEntryWithData } from '../../packages/core/src/tar/entries.ts';
import { endMarker, join, rawEntry, rawHeader } from './raw.ts';
import { failure, gather, inRuns, list } from './streams.ts';

const body = (n: number, fill: number): Uint8Array => new Uint8Array(n).fill(fill);
const archive = join(rawEntry({ name: 'a' }, body(3000, 1)), rawHeader({ name: 'd/', typeflag: '5' }), rawEntry({ name: 'b' }, body(2000, 2)), endMarker);

describe('entries', () => {
  test('come with bodies that can be read', async () => {
    const found: [string, number][] = [];
    for await (const entry of entries(inRuns(archive, [700]))) {
      const bytes = await gather(entry.data);
      expect(bytes.every((byte) => byte === (entry.path === 'a' ? 1 : 2))).toBe(true);
      found.push([entry.path, bytes.length]);
    }
    expect(found).toEqual([['a', 3000], ['d/', 0], ['b', 2000]]);
  });

  test('skip a body that was not read, or only begun', async () => {
    const paths: string[] = [];
    for await (const entry of entries(inRuns(archive, [700]))) {
      paths.push(entry.path);
      if (entry.path === 'a') for await (const run of entry.data) if (run.length > 0) break;
    }
    expect(paths).toEqual(['a', 'd/', 'b']);
  });

  test('give no second reading of a body, and none after the next entry', async () => {
    const kept: TarEntryWithData[] = [];
    for await (const entry of entries(inRuns(archive))) {
      kept.push(entry);
      if (entry.path !== 'b') continue;
      await gather(entry.data);
      expect(await failure(gather(entry.data))).toMatchObject({ code: 'INVALID_ARGUMENT', details: { subject: 'b' } });
    }
    const [first] = kept;
    expect(first && (await failure(gather(first.data)))).toMatchObject({ code: 'INVALID_ARGUMENT', details: { subject: 'a' } });
  });

  test('never let a body that was left half read look complete', async () => {
    const all = entries(inRuns(archive, [700]));
    const { value } = await all.next();
    if (!value) throw new Error('no entry');
    const runs = value.data[Symbol.asyncIterator]();
    await runs.next();
    await all.return();
    expect(await failure(runs.next())).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('read the input to its end, beyond the end marker', async () => {
    let passed = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const run of inRuns(join(archive, body(9000, 0)))) {
        passed += run.length;
        yield run;
      }
    }
    await list(entries(counted()));
    expect(passed).toBe(archive.length + 9000);
  });

  test('end with an error where the archive was cut, also while a body is read', async () => {
    expect(await failure(list(entries(inRuns(archive.subarray(0, -1024)))))).toMatchObject({ code: 'INVALID_TAR' });
    expect(await list(entries(inRuns(archive.subarray(0, -1024)), { requireEnd: false }))).toHaveLength(3);
    const cut = (async (): Promise<void> => {
      for await (const entry of entries(inRuns(archive.subarray(0, 1000)))) await gather(entry.data);
    })();
    expect(await failure(cut)).toMatchObject({ code: 'INVALID_TAR', details: { offset: 1000, subject: 'a' } });
  });

  test('close their source when the loop is left', async () => {
    let closed = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield* inRuns(archive, [512]);
      } finally {
        closed = true;
      }
    }
    for await (const entry of entries(source())) if (entry.path === 'a') break;
    expect(closed).toBe(true);
  });
});
