import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { walkTree as walkWithout } from '../../packages/core/src/runtime/default/tree.ts';
import { walkTree } from '../../packages/core/src/runtime/node/tree.ts';
import type { TreeEntry } from '../../packages/core/src/runtime/tree.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import { failure, gather, list } from '../tar/streams.ts';

describe('walkTree', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'oci-tar-tree-'));
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const write = (path: string, body = 'body'): void => writeFileSync(join(root, path), body);
  const only = async (options = {}): Promise<TreeEntry> => {
    const [entry] = await list(walkTree(root, options));
    if (entry === undefined) throw new Error('no entry');
    return entry;
  };

  test('sorts by the bytes of whole paths, directories with their slash before what is in them', async () => {
    mkdirSync(join(root, 'a/b'), { recursive: true });
    for (const path of ['a/b/c', 'a/z', 'a-b', 'a.b', 'a0', 'B', '\u{10000}', '\uff5e']) write(path);
    const paths = (await list(walkTree(root))).map((entry) => entry.path);
    expect(paths).toEqual(['B', 'a-b', 'a.b', 'a/', 'a/b/', 'a/b/c', 'a/z', 'a0', '\uff5e', '\u{10000}']);
    expect(paths).toEqual([...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  test('keeps modes, and names the second of two hardlinks by the first', async () => {
    write('b');
    chmodSync(join(root, 'b'), 0o4711);
    linkSync(join(root, 'b'), join(root, 'a'));
    write('empty', '');
    chmodSync(join(root, 'empty'), 0);
    expect(await list(walkTree(root))).toMatchObject([
      { path: 'a', type: 'file', mode: 0o4711, size: 4 },
      { path: 'b', type: 'hardlink', mode: 0o4711, size: 0, linkname: 'a' },
      { path: 'empty', type: 'file', mode: 0, size: 0 },
    ]);
  });

  test('never follows a symlink, be it to a file, to a directory or to nothing', async () => {
    mkdirSync(join(root, 'dir'));
    write('dir/file');
    symlinkSync('dir', join(root, 's1'));
    symlinkSync('/nowhere', join(root, 's2'));
    const links = (await list(walkTree(root))).filter((entry) => entry.type === 'symlink');
    expect(links).toMatchObject([{ path: 's1', linkname: 'dir', size: 0 }, { path: 's2', linkname: '/nowhere' }]);
  });

  test('keeps names that are not UTF-8', async () => {
    const pathBytes = Buffer.from([0x61, 0xff]);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), pathBytes]), 'x');
    expect(Buffer.from((await only()).pathBytes).equals(pathBytes)).toBe(true);
  });

  test('packs to the same bytes whoever made the files and when, if asked to', async () => {
    const archive = async (time: number): Promise<Uint8Array> => {
      for (const path of ['x', 'y']) {
        write(path, path.repeat(1000));
        utimesSync(join(root, path), time, time);
      }
      return gather(pieceBytes(pack(walkTree(root, { uid: 0, gid: 0, mtimeLimit: 1_600_000_000 }))));
    };
    expect(await archive(1_700_000_000)).toEqual(await archive(1_800_000_000));
  });

  test('rounds times down to whole seconds, keeps those before the limit, or sets them all', async () => {
    write('f');
    for (const [time, floor] of [[1_500_000_000.75, 1_500_000_000], [-1.25, -2]] as const) {
      // As a Date: of a negative number Node makes the present.
      utimesSync(join(root, 'f'), new Date(time * 1000), new Date(time * 1000));
      expect((await only({ mtimeLimit: 1_600_000_000 })).mtime).toBe(floor);
    }
    expect((await only({ mtime: 42 })).mtime).toBe(42);
    expect((await only({ mtimeLimit: -100 })).mtime).toBe(-100);
  });

  test('refuses a file that grew, shrank, went away or became another after it was seen', async () => {
    const after = async (change: (path: string) => void): Promise<unknown> => {
      write('f');
      const { data } = await only();
      change(join(root, 'f'));
      return data && failure(gather(data));
    };
    expect(await after((path) => appendFileSync(path, '+'))).toMatchObject({ code: 'SIZE_MISMATCH', details: { subject: 'f', expected: 4, actual: 5 } });
    expect(await after((path) => truncateSync(path, 1))).toMatchObject({ code: 'SIZE_MISMATCH', details: { expected: 4, actual: 1 } });
    expect(await after((path) => rmSync(path))).toMatchObject({ code: 'CONFLICT' });
    expect(await after((path) => { write('g'); renameSync(join(root, 'g'), path); })).toMatchObject({ code: 'CONFLICT' });
    expect(await after((path) => { rmSync(path); symlinkSync('/etc/passwd', path); })).toMatchObject({ code: 'CONFLICT' });
  });

  test('reads large files in large runs', async () => {
    write('f', 'x'.repeat(1_000_000));
    const { data } = await only();
    const runs = data ? await list(data) : [];
    expect(runs.reduce((sum, run) => sum + run.length, 0)).toBe(1_000_000);
    expect(runs.length).toBeLessThan(6);
  });

  test('leaves sockets out and says so; takes fifos without opening them', async () => {
    const server = createServer().listen(join(root, 'socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    const fifo = spawnSync('mkfifo', [join(root, 'fifo')]).status === 0;
    const skipped: unknown[] = [];
    const found = await list(walkTree(root, { onSkip: (what) => skipped.push(what) }));
    await new Promise((resolve) => server.close(resolve));
    expect(skipped).toEqual([{ path: 'socket', why: 'socket' }]);
    expect(found.map((entry) => entry.type)).toEqual(fifo ? ['fifo'] : []);
  });

  test.skipIf(process.getuid?.() !== 0)('takes devices with their numbers', async () => {
    if (spawnSync('mknod', [join(root, 'dev'), 'c', '300', '70000']).status !== 0) return;
    expect(await only()).toMatchObject({ type: 'character-device', devmajor: 300, devminor: 70000 });
  });

  test('wants a directory', async () => {
    write('f');
    expect(await failure(list(walkTree(join(root, 'f'))))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failure(list(walkTree(join(root, 'none'))))).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('stops at the signal', async () => {
    write('f');
    const reason = new Error('enough');
    expect(await failure(list(walkTree(root, { signal: AbortSignal.abort(reason) })))).toBe(reason);
  });

  test('is UNSUPPORTED where there is no file system', async () => {
    expect(await failure(() => walkWithout(root))).toMatchObject({ code: 'UNSUPPORTED' });
  });
});
