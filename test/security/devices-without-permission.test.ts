import { lstatSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { Sandbox, bothWays, file, hardlink, isRoot, readBack, symlink } from './support.ts';

const device = (path: string, devmajor: number, devminor: number, more: Partial<PackEntry> = {}): PackEntry => ({ path, type: 'character-device', devmajor, devminor, mode: 0o640, ...more });
const nodes = [file('dev/file'), device('dev/null', 1, 3), { ...device('dev/disk', 8, 1), type: 'block-device' as const }, { path: 'dev/fifo', type: 'fifo' as const, mode: 0o622, mtime: 77 }, hardlink('dev/same', 'dev/null')];

describe('devices', () => {
  bothWays('are left out where they are not allowed, and links to them; the rest is there', [nodes], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(readdirSync(sandbox.path('dev')).toSorted()).toEqual(process.platform === 'linux' ? ['fifo', 'file'] : ['file']);
  }, ['--rootless'], { rootless: true });

  it('that are left out are told of, with their paths', async () => {
    const sandbox = new Sandbox();
    const { leftOut } = await writeTree(readBack([nodes]), sandbox.target, { rootless: true });
    expect(leftOut).toContainEqual({ kind: 'device', count: 2, paths: ['dev/null', 'dev/disk'] });
    expect(leftOut).toContainEqual({ kind: 'type', count: 1, paths: ['dev/same'] });
  });

  it('are not opened, and no number that the system would cut is made', async () => {
    const sandbox = new Sandbox();
    const { leftOut, specials } = await writeTree(readBack([[device('huge', 1 + 2 ** 12, 3), device('wide', 1, 3 + 2 ** 20)]]), sandbox.target);
    expect(leftOut.filter(({ kind }) => kind === 'device')).toMatchObject([{ paths: ['huge', 'wide'] }]);
    expect(specials).toBe(0);
  });

  it('are made by root, with their numbers, modes, owners and times, and so are links to them', async ({ skip }) => {
    skip(!isRoot || process.platform !== 'linux', 'only root of Linux makes devices');
    const sandbox = new Sandbox();
    const many = Array.from({ length: 120 }, (_, i) => device(`many/d${i}/x y'"$\n\\${i}`, 1, 3, { uid: 12, gid: 34, mtime: 1000 + i, mode: 0o4604 }));
    const { leftOut, specials } = await writeTree(readBack([[...nodes, ...many, hardlink('again', 'dev/same')]]), sandbox.target);
    expect(leftOut).toEqual([]);
    expect(specials).toBe(123);
    const null_ = lstatSync(sandbox.path('dev/null'));
    expect([null_.isCharacterDevice(), null_.rdev, null_.mode & 0o7777, null_.nlink]).toEqual([true, 0x103, 0o640, 3]);
    const disk = lstatSync(sandbox.path('dev/disk'));
    expect([disk.isBlockDevice(), disk.rdev]).toEqual([true, 0x801]);
    const fifo = lstatSync(sandbox.path('dev/fifo'));
    expect([fifo.isFIFO(), fifo.mode & 0o7777, fifo.mtimeMs]).toEqual([true, 0o622, 77_000]);
    for (const i of [0, 119]) {
      const { uid, gid, mtimeMs, mode } = lstatSync(sandbox.path(`many/d${i}/x y'"$\n\\${i}`));
      expect([uid, gid, mtimeMs, mode & 0o7777]).toEqual([12, 34, (1000 + i) * 1000, 0o4604]);
    }
  });

  bothWays('do not come through a symlink, nor over one', ({ outside }) => [[symlink('way', outside), device('way/null', 1, 3)]], ({ refused }) => expect(['UNSAFE_PATH', 'INVALID_TAR']).toContain(refused));
  bothWays('do not come twice', [[device('null', 1, 3), device('null', 1, 3)]], ({ refused }) => expect(['CONFLICT', 'INVALID_TAR']).toContain(refused), ['--rootless']);
  bothWays('are not replaced by a file of their name', [[{ path: 'fifo', type: 'fifo' }, file('fifo')]], ({ refused }) => expect(['CONFLICT', 'INVALID_TAR']).toContain(refused));
});
