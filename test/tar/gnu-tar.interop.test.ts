import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { indexTar } from '../../packages/core/src/tar/seek.ts';
import { tokens } from '../../packages/core/src/tar/tokens.ts';
import { CountingSource, gather, inRuns, list } from './streams.ts';

const gnuTar = spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout?.startsWith('tar (GNU tar)') ?? false;
const env = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' };
const tar = (args: string[], input?: Uint8Array): Buffer => execFileSync('tar', args, { env, input, maxBuffer: 2 ** 26 });

describe.skipIf(!gnuTar)('GNU tar', () => {
  let root = '';
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'oci-tar-gnu-'));
    mkdirSync(join(root, 'tree/dir'), { recursive: true });
    writeFileSync(join(root, 'tree/dir/file'), 'contents');
    writeFileSync(join(root, 'tree/empty'), '');
    writeFileSync(join(root, 'tree/block'), 'b'.repeat(1024));
    linkSync(join(root, 'tree/dir/file'), join(root, 'tree/hard'));
    symlinkSync('dir/file', join(root, 'tree/soft'));
    chmodSync(join(root, 'tree/dir/file'), 0o4750);
    utimesSync(join(root, 'tree/dir/file'), 1700000000.5, 1700000000.5);
    mkdirSync(join(root, 'long', 'd'.repeat(90), 'e'.repeat(90)), { recursive: true });
    writeFileSync(join(root, 'long', 'd'.repeat(90), 'e'.repeat(90), 'n'.repeat(120)), 'long');
    symlinkSync('t'.repeat(180), join(root, 'long/soft'));
    writeFileSync(join(root, 'long/ünïcödé'), 'ü');
  });
  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
  });

  const written = (format: string, what: string, ...args: string[]): Buffer =>
    tar([`--format=${format}`, '--sort=name', '--owner=jo:1234', '--group=team:2345', ...args, '-C', root, '-cf', '-', what]);

  test.each(['v7', 'ustar', 'oldgnu', 'gnu', 'posix'])('writes the %s format so that we read it, through and by index', async (format) => {
    const archive = written(format, 'tree');
    expect(await gather((await list(tokens(inRuns(archive)))).map((token) => token.bytes))).toEqual(new Uint8Array(archive));
    const found = new Map<string, unknown>();
    for await (const { data, ...entry } of entries(inRuns(archive))) found.set(entry.path, { ...entry, body: Buffer.from(await gather(data)).toString() });
    expect([...found.keys()]).toEqual(['tree/', 'tree/block', 'tree/dir/', 'tree/dir/file', 'tree/empty', 'tree/hard', 'tree/soft']);
    expect(found.get('tree/dir/')).toMatchObject({ type: 'directory', size: 0 });
    const names = format === 'v7' ? {} : { uname: 'jo', gname: 'team' };
    const mtime = format === 'posix' ? 1700000000.5 : 1700000000;
    expect(found.get('tree/dir/file')).toMatchObject({ type: 'file', size: 8, uid: 1234, gid: 2345, mtime, body: 'contents', ...names });
    expect((found.get('tree/dir/file') as { mode: number }).mode & 0o7777).toBe(0o4750);
    expect(found.get('tree/hard')).toMatchObject({ type: 'hardlink', linkname: 'tree/dir/file', size: 0 });
    expect(found.get('tree/soft')).toMatchObject({ type: 'symlink', linkname: 'dir/file' });
    expect((await indexTar(new CountingSource(archive))).map((entry) => entry.path)).toEqual([...found.keys()]);
  });

  test.each(['oldgnu', 'gnu', 'posix'])('writes names of any length in the %s format so that we read them', async (format) => {
    const found = await list(entries(inRuns(written(format, 'long'))));
    const paths = found.map((entry) => entry.path);
    expect(paths).toContain(`long/${'d'.repeat(90)}/${'e'.repeat(90)}/${'n'.repeat(120)}`);
    expect(paths).toContain('long/ünïcödé');
    expect(found.find((entry) => entry.path === 'long/soft')?.linkname).toBe('t'.repeat(180));
  });

  test.each(['gnu', 'posix'])('writes ids and times beyond octal in the %s format so that we read them', async (format) => {
    for (const mtime of [-315619200, 2208988800, 8 ** 11 + 1]) {
      const archive = written(format, 'tree/empty', '--owner=:1000650000', '--group=:4294967294', `--mtime=@${mtime}`);
      expect(await list(entries(inRuns(archive)))).toMatchObject([{ uid: 1000650000, gid: 4294967294, mtime }]);
    }
  });

  test.each([
    ['gnu', []],
    ['posix', ['--sparse-version=0.0']],
    ['posix', ['--sparse-version=0.1']],
    ['posix', ['--sparse-version=1.0']],
  ])('writes sparse files in the %s format %j so that we take them for what they are', async (format, args) => {
    writeFileSync(join(root, 'sparse'), 'start');
    truncateSync(join(root, 'sparse'), 50_000_000);
    const archive = written(format, 'sparse', '--sparse', ...args);
    const found = await list(entries(inRuns(archive)));
    expect(found).toMatchObject([{ path: 'sparse', type: 'file', sparse: { realSize: 50_000_000 } }]);
    expect(await gather((await list(tokens(inRuns(archive)))).map((token) => token.bytes))).toEqual(new Uint8Array(archive));
  });

  test('lists what we pack as it was meant', async () => {
    const items: PackEntry[] = [
      { path: 'd/', type: 'directory', mode: 0o1777 },
      { path: 'd/shadow', type: 'file', mode: 0, size: 3, data: Buffer.from('abc'), uid: 1000650000, gid: 4294967294 },
      { path: 'd/1960', type: 'file', mtime: -315619200 },
      { path: 'd/2040', type: 'file', mtime: 2208988800 },
      { path: 'd/2300', type: 'file', mtime: 10413792000, uid: 2097152 },
      { path: `d/${'x'.repeat(98)}`, type: 'file', mode: 0o6755 },
      { path: `${'p'.repeat(150)}/${'q'.repeat(99)}`, type: 'file' },
      { path: `d/${'y'.repeat(400)}`, type: 'file' },
      { path: 'd/ä', type: 'symlink', linkname: `to/${'z'.repeat(300)}` },
      { path: 'd/hard', type: 'hardlink', linkname: 'd/shadow' },
      { path: 'd/tty', type: 'character-device', devmajor: 5, devminor: 1, mode: 0o620 },
      { path: 'd/sda', type: 'block-device', devmajor: 8, devminor: 300 },
      { path: 'd/fifo', type: 'fifo' },
    ];
    const archive = await gather(pieceBytes(pack(items)));
    const lines = tar(['--numeric-owner', '--full-time', '--quoting-style=literal', '-tvf', '-'], archive).toString().trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/ +/g, ' '))).toEqual([
      'drwxrwxrwt 0/0 0 1970-01-01 00:00:00 d/',
      '---------- 1000650000/4294967294 3 1970-01-01 00:00:00 d/shadow',
      '-rw-r--r-- 0/0 0 1960-01-01 00:00:00 d/1960',
      '-rw-r--r-- 0/0 0 2040-01-01 00:00:00 d/2040',
      '-rw-r--r-- 2097152/0 0 2300-01-01 00:00:00 d/2300',
      `-rwsr-sr-x 0/0 0 1970-01-01 00:00:00 d/${'x'.repeat(98)}`,
      `-rw-r--r-- 0/0 0 1970-01-01 00:00:00 ${'p'.repeat(150)}/${'q'.repeat(99)}`,
      `-rw-r--r-- 0/0 0 1970-01-01 00:00:00 d/${'y'.repeat(400)}`,
      `lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 d/ä -> to/${'z'.repeat(300)}`,
      'hrw-r--r-- 0/0 0 1970-01-01 00:00:00 d/hard link to d/shadow',
      'crw--w---- 0/0 5,1 1970-01-01 00:00:00 d/tty',
      'brw-r--r-- 0/0 8,300 1970-01-01 00:00:00 d/sda',
      'prw-r--r-- 0/0 0 1970-01-01 00:00:00 d/fifo',
    ]);
  });

  test('extracts what we pack, bytes and modes and times', async () => {
    const body = Buffer.alloc(100_000, 'body');
    const archive = await gather(pieceBytes(pack([{ path: 'out/', type: 'directory' }, { path: 'out/file', type: 'file', mode: 0o640, mtime: 1700000000.25, size: body.length, data: body }])));
    tar(['-C', root, '-xpf', '-'], archive);
    expect(readFileSync(join(root, 'out/file')).equals(body)).toBe(true);
    const stats = statSync(join(root, 'out/file'));
    expect([stats.mode & 0o7777, stats.mtimeMs]).toEqual([0o640, 1700000000250]);
  });
});
