import { execFileSync } from 'node:child_process';
import { chmodSync, lstatSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import { has } from '../interop/peers/tool.ts';
import { Sandbox, directory, file, hardlink, isRoot, readBack, symlink } from './support.ts';

const text = (value: string) => new TextEncoder().encode(value);
const owned = { uid: 1234, gid: 1_000_650_000 };

describe('what belongs to a file', () => {
  it('is its mode, also one that keeps everybody out, its time, before 1970 too, and of a directory after it was filled', async () => {
    const sandbox = new Sandbox();
    const modes = [0, 0o444, 0o555, 0o1777, 0o2755, 0o4711, 0o6777];
    const layer = modes.flatMap((mode) => [directory(`d${mode}/`, { mode, mtime: -1 - mode }), file(`d${mode}/in/deep`), file(`f${mode}`, 'x', { mode, mtime: 1_700_000_000.25 })]);
    const report = await writeTree(readBack([layer]), sandbox.target, { rootless: true });
    expect(report).toMatchObject({ files: 14, directories: 14, entries: 21 });
    for (const mode of modes) {
      expect([lstatSync(sandbox.path(`d${mode}`)).mode & 0o7777, lstatSync(sandbox.path(`d${mode}`)).mtimeMs]).toEqual([mode, (-1 - mode) * 1000]);
      expect([lstatSync(sandbox.path(`f${mode}`)).mode & 0o7777, lstatSync(sandbox.path(`f${mode}`)).mtimeMs]).toEqual([mode, 1_700_000_000_250]);
      chmodSync(sandbox.path(`d${mode}`), 0o700);
    }
  });

  it('is the time to the microsecond, of symlinks too', async () => {
    const sandbox = new Sandbox();
    const at = (mtime: number) => ({ mtime });
    await writeTree(readBack([[file('a', 'x', at(1_700_000_000.123456)), { ...symlink('b', 'a'), mtime: 12.000007 }, file('late', 'x', at(4_294_967_300))]]), sandbox.target);
    const time = (name: string) => lstatSync(sandbox.path(name), { bigint: true }).mtimeNs;
    expect([time('a'), time('b'), time('late')]).toEqual([1_700_000_000_123_456_000n, 12_000_007_000n, 4_294_967_300_000_000_000n]);
  });

  it('is its owner where root unpacks, and setuid bits after it', async ({ skip }) => {
    skip(!isRoot, 'only root gives files away');
    const sandbox = new Sandbox();
    await writeTree(readBack([[directory('d/', { ...owned, mode: 0o2770 }), file('f', 'x', { ...owned, mode: 0o6755 }), { ...symlink('l', 'f'), ...owned }, hardlink('h', 'f')]]), sandbox.target);
    for (const name of ['d', 'f', 'l', 'h']) expect([lstatSync(sandbox.path(name)).uid, lstatSync(sandbox.path(name)).gid]).toEqual([owned.uid, owned.gid]);
    expect([statSync(sandbox.path('d')).mode & 0o7777, statSync(sandbox.path('f')).mode & 0o7777, statSync(sandbox.path('h')).nlink]).toEqual([0o2770, 0o6755, 2]);
  });

  it('is accounted for where it is another one: the owner of a rootless tree', async () => {
    const sandbox = new Sandbox();
    const { leftOut } = await writeTree(readBack([[directory('d/', owned), ...Array.from({ length: 30 }, (_, i) => file(`d/${i}`, '', owned))]]), sandbox.target, { rootless: true });
    expect(leftOut).toMatchObject([{ kind: 'owner', count: 31 }]);
    expect(leftOut[0]?.paths).toHaveLength(20);
    expect(leftOut[0]?.paths[0]).toBe('d/0');
    expect(statSync(sandbox.path('d/0')).uid).toBe(process.geteuid?.());
  });

  it('are its holes', async () => {
    const sandbox = new Sandbox();
    const data = new Uint8Array(8 * 2 ** 20);
    data.fill(7, 3 * 2 ** 20 + 100, 3 * 2 ** 20 + 200);
    async function* odd() {
      for (let at = 0; at < data.byteLength; at += 70_001) yield data.subarray(at, at + 70_001);
    }
    async function* entries() {
      yield { path: 'whole', type: 'file' as const, size: data.byteLength, data };
      yield { path: 'in-pieces', type: 'file' as const, size: data.byteLength, data: odd() };
      yield { path: 'nothing', type: 'file' as const, size: 2 ** 20, data: new Uint8Array(2 ** 20) };
    }
    await writeTree(entries(), sandbox.target);
    for (const name of ['whole', 'in-pieces']) {
      expect(Buffer.compare(readFileSync(sandbox.path(name)), data)).toBe(0);
      expect(statSync(sandbox.path(name)).blocks * 512).toBeLessThan(2 ** 20);
    }
    expect([statSync(sandbox.path('nothing')).size, statSync(sandbox.path('nothing')).blocks]).toEqual([2 ** 20, 0]);
  });

  it('are its extended attributes where the system has a program for them, but not those that are orders to this machine', async ({ skip }) => {
    skip(!has('setfattr') || !has('getfattr'), 'attr is not installed');
    const sandbox = new Sandbox();
    const name = 'odd \n\\=name "x"';
    const pax = new Map([
      ['SCHILY.xattr.user.text', text('a\nb\\"=\0c')],
      ['SCHILY.xattr.user.overlay.opaque', text('y')],
      ['SCHILY.xattr.trusted.overlay.redirect', text('/etc')],
      ['SCHILY.xattr.nonsense', text('1')],
    ]);
    const { leftOut } = await writeTree(readBack([[directory('d/', { pax: new Map([['SCHILY.xattr.user.dir', text('1')]]) }), file(`d/${name}`, 'x', { pax }), file('.hidden', 'x', { mode: 0o444 })]]), sandbox.target);
    const dump = execFileSync('getfattr', ['-d', '-e', 'hex', '-m', '-', '-h', '--absolute-names', sandbox.path(`d/${name}`), sandbox.path('d')], { encoding: 'utf8' });
    expect(dump).toContain(`user.text=0x${Buffer.from('a\nb\\"=\0c').toString('hex')}\n`);
    expect(dump).toContain('user.dir=0x31\n');
    expect(dump).not.toContain('overlay');
    expect(leftOut.filter(({ kind }) => kind === 'xattr')).toEqual([{ kind: 'xattr', count: 3, paths: [`d/${name}`, `d/${name}`] }]);
  });

  it('are not given to what a symlink leads to', async ({ skip }) => {
    skip(!has('setfattr') || !has('getfattr'), 'attr is not installed');
    const sandbox = new Sandbox();
    await writeTree(readBack([[{ ...symlink('way', `${sandbox.outside}/secret`), pax: new Map([['SCHILY.xattr.user.text', text('a')]]) }]]), sandbox.target);
    expect(execFileSync('getfattr', ['-d', '-m', '-', '--absolute-names', `${sandbox.outside}/secret`], { encoding: 'utf8' })).toBe('');
    sandbox.expectUntouched();
  });
});
