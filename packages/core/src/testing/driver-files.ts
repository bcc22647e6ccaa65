import { assertEqual, assertRejects, noise } from './assert.ts';
import type { DriverCase } from './driver-conformance.ts';
import { listPaths } from './driver-session.ts';

const text = (value: string) => new TextEncoder().encode(value);

const hostilePaths = [
  '',
  '.',
  '..',
  '/',
  '/etc/passwd',
  '../outside',
  'blobs/../../outside',
  'blobs/..',
  'blobs/./x',
  'blobs//x',
  'blobs/',
  'index.json\u0000.txt',
  'blobs\\..\\..\\outside',
  'C:/outside',
  `blobs/${'a'.repeat(5000)}`,
];

/** Files that are not blobs, and the paths of all files. */
export const fileCases: readonly DriverCase[] = [
  {
    name: 'gives a file back byte for byte, also an empty and a long one',
    async run(session) {
      await session.driver.init();
      const files = { 'oci-layout': text('{}'), empty: new Uint8Array(), 'some/folder/file.json': noise(300_000, 1) };
      for (const [path, bytes] of Object.entries(files)) await session.writeFile(path, bytes);
      for (const [path, bytes] of Object.entries(files)) await session.expectFile(path, bytes);
    },
  },
  {
    name: 'joins the chunks of a file in their order',
    async run(session) {
      await session.driver.init();
      const writer = await session.driver.writer('index.json', { mode: 0o600 });
      for (const chunk of ['{"a"', '', ':', '1}']) await writer.write(text(chunk));
      await writer.commit();
      await session.expectFile('index.json', text('{"a":1}'));
    },
  },
  {
    name: 'replaces a file whole, at its commit',
    on: 'random',
    async run(session) {
      await session.driver.init();
      await session.writeFile('index.json', text('a long first version'));
      const writer = await session.driver.writer('index.json');
      await writer.write(text('second'));
      const source = await session.driver.reader('index.json');
      assertEqual(source.size, 20, 'size before the commit');
      assertEqual(await listPaths(session.driver), ['index.json'], 'files before the commit');
      await writer.commit();
      await session.expectFile('index.json', text('second'));
    },
  },
  {
    name: 'keeps the old file when its writer is aborted',
    on: 'random',
    async run(session) {
      await session.driver.init();
      await session.writeFile('index.json', text('old'));
      const writer = await session.driver.writer('index.json');
      await writer.write(text('new'));
      await writer.abort(new Error('given up'));
      await writer.abort();
      await assertRejects(() => writer.commit(), 'commit after abort');
      assertEqual(await listPaths(session.driver), ['index.json'], 'files');
      await session.expectFile('index.json', text('old'));
    },
  },
  {
    name: 'leaves no file of an aborted writer',
    async run(session) {
      await session.driver.init();
      const writer = await session.driver.writer('index.json');
      await writer.write(noise(100_000, 1));
      await writer.abort();
      await session.expectAbsent('index.json');
    },
  },
  {
    name: 'refuses to write a path that leads out of the layout, or is not plain',
    async run(session) {
      await session.driver.init();
      for (const path of hostilePaths) await assertRejects(() => session.driver.writer(path), `writer of ${JSON.stringify(path.slice(0, 30))}`, 'UNSAFE_PATH');
      assertEqual(await listPaths(await session.reopen()), [], 'files');
    },
  },
  {
    name: 'refuses to read, list or remove a path that leads out of the layout',
    on: 'random',
    async run(session) {
      await session.driver.init();
      for (const path of hostilePaths) {
        const shown = JSON.stringify(path.slice(0, 30));
        await assertRejects(() => session.driver.reader(path), `reader of ${shown}`, 'UNSAFE_PATH');
        await assertRejects(() => session.driver.remove(path), `remove of ${shown}`, 'UNSAFE_PATH');
      }
      for (const prefix of ['..', '../', '/', 'blobs/../..']) await assertRejects(() => listPaths(session.driver, prefix), `list of ${prefix}`, 'UNSAFE_PATH');
    },
  },
];
