import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fileSource } from '@oci-tar/core';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { inRuns, list } from '../tar/streams.ts';
import { Cli, writeTree } from './support.ts';

describe('oci-tar pack', () => {
  it('writes what is in a directory into a file, and says how much that was', async () => {
    const cli = new Cli();
    expect((await cli.ok('pack', '@rootfs', '@out.tar')).stdout).toMatch(/^packed 1 entry to .*out\.tar, 2048 bytes of tar\n$/);
    expect(await cli.json('pack', '@rootfs', '@out.tar')).toMatchObject({ entries: 1, bytes: 2048 });
    expect((await list(entries(inRuns(readFileSync(cli.path('out.tar')))))).map((entry) => entry.path)).toEqual(['hello.sh']);
  });

  it('writes to standard output, and its words to standard error', async () => {
    const cli = new Cli();
    const { bytes, stdout, stderr } = await cli.ok('pack', '@rootfs', '-');
    expect([stdout, stderr]).toEqual(['', 'packed 1 entry to standard output, 2048 bytes of tar\n']);
    await cli.ok('pack', '@rootfs', '@out.tar');
    expect(Buffer.compare(bytes, readFileSync(cli.path('out.tar')))).toBe(0);
  });

  it('compresses as the name ends or as it is told', async () => {
    const cli = new Cli();
    await cli.ok('pack', '@rootfs', '@plain.tar');
    await cli.ok('pack', '@rootfs', '@out.tar.gz');
    await cli.ok('pack', '@rootfs', '@out.bin', '--compress', 'gzip', '--level', '1');
    for (const name of ['out.tar.gz', 'out.bin']) expect(Buffer.compare(gunzipSync(readFileSync(cli.path(name))), readFileSync(cli.path('plain.tar')))).toBe(0);
  });

  it('gives entries the owner and the time that it is told, and none a later one than SOURCE_DATE_EPOCH', async () => {
    const cli = new Cli();
    utimesSync(cli.path('rootfs/hello.sh'), 2_000_000_000, 2_000_000_000);
    const only = async (args: readonly string[], env = {}): Promise<unknown> => {
      const { bytes, status } = await cli.run(['pack', '@rootfs', '-', ...args], { env });
      expect(status).toBe(0);
      return (await list(entries(inRuns(bytes))))[0];
    };
    expect(await only(['--owner', '1000:65534', '--mtime', '2001-09-09T01:46:40Z'])).toMatchObject({ uid: 1000, gid: 65534, mtime: 1_000_000_000 });
    expect(await only([], { SOURCE_DATE_EPOCH: '1500000000' })).toMatchObject({ mtime: 1_500_000_000 });
    expect(await only([])).toMatchObject({ mtime: 2_000_000_000 });
  });

  // Linux says that this file has no bytes, and then it has some: one that grows while it is read.
  it('has extended attributes with --xattrs, of names of any bytes', async ({ skip }) => {
    const cli = new Cli();
    writeTree(cli.path('tree'), { 'dir/program': 'program', 'plain': 'plain', 'ü = a\\b\nc': 'odd' });
    symlinkSync('tree', cli.path('link'));
    const set = (path: string, name: string, value: string) => execFileSync('setfattr', ['-h', '-n', name, '-v', value, cli.path(path)], { stdio: 'ignore' });
    try {
      set('tree/dir/program', 'user.bytes', '0x00ff0a3d');
    } catch {
      skip('there is no setfattr here, or a file system without extended attributes');
    }
    set('tree/dir', 'user.of=dir', 'dir');
    set('tree/ü = a\\b\nc', 'user.ü', 'odd');
    execFileSync('setfattr', ['-n', 'user.empty', cli.path('tree/plain')]);
    for (const source of ['@tree', '@link/']) {
      await cli.ok('pack', source, '@out.tar', '--xattrs');
      const found: Record<string, readonly (readonly [string, string])[]> = {};
      for await (const { path, pax } of entries((await fileSource(cli.path('out.tar'))).read())) {
        found[path] = [...pax].flatMap(([keyword, value]) => (keyword.startsWith('SCHILY.xattr.') ? [[keyword.slice(13), Buffer.from(value).toString('latin1')] as const] : []));
      }
      expect(found).toEqual({ 'dir/': [['user.of%3Ddir', 'dir']], 'dir/program': [['user.bytes', '\x00\xff\n=']], plain: [['user.empty', '']], 'ü = a\\b\nc': [['user.ü', 'odd']] });
    }
    await cli.ok('pack', '@tree', '@without.tar');
    expect(readFileSync(cli.path('without.tar')).includes('SCHILY')).toBe(false);
  });

  it.skipIf(!existsSync('/proc/version'))('leaves no archive behind when a file has another size than it was said to', async () => {
    const cli = new Cli();
    const { status, stderr } = await cli.run(['pack', '@rootfs', '/proc/version', '@out.tar']);
    expect(status).toBe(4);
    expect(stderr).toMatch(/"version" changed its size while it was read/);
    expect(readdirSync(cli.dir)).toEqual(['rootfs']);
  });

  it.each([
    [['pack', '@rootfs'], /no archive was named/],
    [['pack', '@rootfs', '@out.tar', '--owner', 'root'], /--owner root is not UID:GID/],
    [['pack', '@rootfs', '@out.tar', '--mtime', 'now'], /--mtime now is no moment/],
    [['pack', '@rootfs', '@out.tar', '--buffer-size', '100'], /--buffer-size 100/],
    [['pack', '@rootfs', '@out.tar', '--level', '3'], /nothing is compressed/],
  ])('%j is a mistake in the command line, and is told', async (args, message) => {
    const { status, stderr } = await new Cli().run(args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('refuses two files of one name, with what to do about it', async () => {
    const cli = new Cli();
    mkdirSync(cli.path('other'));
    writeFileSync(cli.path('other/hello.sh'), 'x');
    const { status, stderr } = await cli.run(['pack', '@rootfs', '@other', '@out.tar']);
    expect(status).toBe(6);
    expect(stderr).toMatch(/hello\.sh.*in the archive already/);
    expect(existsSync(cli.path('out.tar'))).toBe(false);
  });
});
