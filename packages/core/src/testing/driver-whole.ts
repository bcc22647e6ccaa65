import { digestBytes } from '../bytes/digest.ts';
import { blobPath } from '../spec/digest.ts';
import { assert, assertBytes, assertEqual, assertRejects, noise } from './assert.ts';
import type { DriverCase } from './driver-conformance.ts';
import { listPaths, readFile } from './driver-session.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** A driver's life from `init` to `close` or `abort`. */
export const wholeCases: readonly DriverCase[] = [
  {
    name: 'init makes an empty layout, and a second one harms nothing',
    async run(session) {
      await session.driver.init();
      const { digest } = await session.writeBlob(noise(100, 1));
      await session.driver.init();
      const reopened = await session.reopen();
      assertEqual(await listPaths(reopened), [blobPath(digest)], 'files');
    },
  },
  {
    name: 'lists each file with its size, below a prefix or all',
    async run(session) {
      await session.driver.init();
      const [one, two] = [await session.writeBlob(noise(10, 1)), await session.writeBlob(noise(70_000, 2), { algorithm: 'sha512' })];
      await session.writeFile('index.json', text('{"schemaVersion":2}'));
      const sizes = [
        [blobPath(one.digest), 10],
        [blobPath(two.digest), 70_000],
        ['index.json', 19],
      ] as const;
      for (const driver of session.random ? [session.driver, await session.reopen()] : [await session.reopen()]) {
        const listed: [string, number][] = [];
        for await (const { path, size } of driver.list()) listed.push([path, size]);
        assertEqual(Object.fromEntries(listed.sort()), Object.fromEntries([...sizes].sort()), 'all files');
        assertEqual(await listPaths(driver, 'blobs/'), sizes.slice(0, 2).map(([path]) => path), 'files below blobs/');
        assertEqual(await listPaths(driver, 'blobs/sha512/'), [sizes[1][0]], 'files below blobs/sha512/');
        assertEqual(await listPaths(driver, 'blobs/blake3/'), [], 'files below a folder that is not there');
      }
    },
  },
  {
    name: 'a file that is not there is NOT_FOUND',
    async run(session) {
      await session.driver.init();
      const absent = blobPath(await digestBytes(noise(5, 1)));
      await session.expectInvisible(absent);
      await session.expectInvisible('index.json');
      const reopened = await session.reopen();
      await assertRejects(() => reopened.reader(absent), 'a blob', 'NOT_FOUND');
      await assertRejects(() => reopened.reader('index.json'), 'index.json', 'NOT_FOUND');
      await assertRejects(() => reopened.reader('no/such/folder'), 'a file in a folder that is not there', 'NOT_FOUND');
    },
  },
  {
    name: 'removes files, and removing what is not there is no error',
    on: 'random',
    async run(session) {
      await session.driver.init();
      const kept = await session.writeBlob(noise(10, 1));
      const { digest } = await session.writeBlob(noise(10, 2));
      await session.writeFile('extra.json', text('{}'));
      for (const path of [blobPath(digest), 'extra.json', 'never/was']) {
        await session.driver.remove(path);
        await session.driver.remove(path);
        await session.expectInvisible(path);
      }
      assertEqual(await listPaths(await session.reopen()), [blobPath(kept.digest)], 'files');
    },
  },
  {
    name: 'cannot remove from what is written in one pass',
    on: 'append',
    async run(session) {
      await session.driver.init();
      await session.writeFile('extra.json', text('{}'));
      await assertRejects(() => session.driver.remove('extra.json'), 'remove', 'UNSUPPORTED');
      await session.expectFile('extra.json', text('{}'));
    },
  },
  {
    name: 'exclusive lets one in at a time and passes results and failures on',
    on: 'random',
    async run(session) {
      await session.driver.init();
      let inside = 0;
      let sum = 0;
      const work = async (value: number) =>
        session.driver.exclusive(async () => {
          inside++;
          assertEqual(inside, 1, 'how many are inside');
          const before = sum;
          await readFile(session.driver, 'index.json').catch(() => {});
          sum = before + value;
          inside--;
          if (value === 3) throw new Error('three');
          return value * 2;
        });
      const results = await Promise.allSettled([1, 2, 3, 4].map(work));
      assertEqual(sum, 10, 'sum');
      assertEqual(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed')), [2, 4, 'failed', 8], 'results');
      assertEqual(await work(5), 10, 'result after a failure');
    },
  },
  {
    name: 'writes and reads inside exclusive',
    async run(session) {
      await session.driver.init();
      await session.driver.exclusive(() => session.writeFile('index.json', text('{"a":1}')));
      await session.expectFile('index.json', text('{"a":1}'));
    },
  },
  {
    name: 'close may be called twice',
    async run(session) {
      await session.driver.init();
      await session.writeFile('index.json', text('{}'));
      await session.driver.close();
      await session.driver.close();
      await session.expectFile('index.json', text('{}'));
    },
  },
  {
    name: 'abort after close takes nothing back',
    async run(session) {
      await session.driver.init();
      await session.writeFile('index.json', text('{}'));
      await session.driver.close();
      await session.driver.abort(new Error('too late'));
      assertBytes(await readFile(await session.reopen(), 'index.json'), text('{}'), 'index.json');
    },
  },
  {
    name: 'abort leaves nothing that was not committed',
    async run(session) {
      await session.driver.init();
      const bytes = noise(100_000, 1);
      await session.writeBlob(noise(100, 2));
      await session.startBlob([bytes]);
      if (session.random) {
        const index = await session.driver.writer('index.json');
        await index.write(text('{}'));
      }
      await session.driver.abort(new Error('given up'));
      await session.driver.abort();
      await session.expectAbsent(blobPath(await digestBytes(bytes)));
      await session.expectAbsent('index.json');
    },
  },
  {
    name: 'abort fails the writers that are still open',
    async run(session) {
      await session.driver.init();
      const writer = await session.startBlob([noise(1000, 1)]);
      await session.driver.abort(new Error('given up'));
      await assertRejects(() => writer.commit(), 'commit after abort');
    },
  },
  {
    name: 'an archive that was given up is no layout, however far it had come',
    on: 'append',
    async run(session) {
      await session.driver.init();
      await session.writeFile('oci-layout', text('{"imageLayoutVersion":"1.0.0"}'));
      await session.writeFile('index.json', text('{"schemaVersion":2,"manifests":[]}'));
      await session.driver.abort(new Error('given up'));
      let found = true;
      try {
        await (await session.reopen()).reader('index.json');
      } catch {
        found = false;
      }
      assert(!found, 'index.json of an aborted archive can be read');
    },
  },
];
