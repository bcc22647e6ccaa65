import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import { Cli } from '../cli/support.ts';
import { Sandbox, addImage, attemptOf, directory, file, readBack } from './support.ts';

const layers = [[directory('./', { mode: 0o711, mtime: 5 }), file('a')]];
const unpack = (sandbox: Sandbox, target = sandbox.target) => attemptOf(sandbox, () => writeTree(readBack(layers), target));

describe('a target that is there already', () => {
  it('and is an empty directory becomes what is unpacked, with the mode and time of the root entry', async () => {
    const sandbox = new Sandbox();
    mkdirSync(sandbox.target);
    expect((await unpack(sandbox)).refused).toBeUndefined();
    const { mode, mtimeMs } = statSync(sandbox.target);
    expect([mode & 0o7777, mtimeMs]).toEqual([0o711, 5000]);
    expect(readdirSync(join(sandbox.dir, 'within'))).toEqual(['root']);
  });

  it('with something in it is refused and stays as it is', async () => {
    const sandbox = new Sandbox();
    mkdirSync(sandbox.target);
    writeFileSync(sandbox.path('a'), 'mine\n');
    expect((await unpack(sandbox)).refused).toBe('CONFLICT');
    expect(readFileSync(sandbox.path('a'), 'utf8')).toBe('mine\n');
    expect(readdirSync(join(sandbox.dir, 'within'))).toEqual(['root']);
  });

  it('as a file is refused and stays as it is', async () => {
    const sandbox = new Sandbox();
    writeFileSync(sandbox.target, 'mine\n');
    expect((await unpack(sandbox)).refused).toBe('CONFLICT');
    expect(readFileSync(sandbox.target, 'utf8')).toBe('mine\n');
  });

  it.each(['outside', 'outside/folder', 'nowhere'])('as a symlink is refused and not followed: to %s', async (to) => {
    const sandbox = new Sandbox();
    symlinkSync(join(sandbox.dir, to), sandbox.target);
    expect((await unpack(sandbox)).refused).toBe('CONFLICT');
    sandbox.expectUntouched();
  });

  it('only when all is written is refused, and what came meanwhile stays', async () => {
    const sandbox = new Sandbox();
    async function* entries() {
      yield file('a');
      mkdirSync(sandbox.target);
      writeFileSync(sandbox.path('b'), 'mine\n');
    }
    const { refused } = await attemptOf(sandbox, () => writeTree(entries(), sandbox.target));
    expect(refused).toBe('CONFLICT');
    expect(readdirSync(join(sandbox.dir, 'within'))).toEqual(['root']);
    expect(readdirSync(sandbox.target)).toEqual(['b']);
  });

  it('or not, is not seen before it is whole, and until then by nobody else', async () => {
    const sandbox = new Sandbox();
    const seen: unknown[] = [];
    async function* entries() {
      yield file('a');
      const [name = ''] = readdirSync(dirname(sandbox.target));
      seen.push(name.startsWith('.root.'), existsSync(sandbox.target), statSync(join(dirname(sandbox.target), name)).mode & 0o777);
      yield file('b');
    }
    expect((await attemptOf(sandbox, () => writeTree(entries(), sandbox.target))).refused).toBeUndefined();
    expect(seen).toEqual([true, false, 0o700]);
  });

  it('keeps its place while its parent is moved: what is written goes with the parent', async () => {
    const sandbox = new Sandbox();
    async function* entries() {
      yield file('a');
      renameSync(join(sandbox.dir, 'within'), join(sandbox.dir, 'moved'));
      symlinkSync(sandbox.outside, join(sandbox.dir, 'within'));
      yield file('b');
    }
    await attemptOf(sandbox, () => writeTree(entries(), sandbox.target));
    sandbox.expectUntouched();
  });

  it('below a directory that is not there is refused', async () => {
    const sandbox = new Sandbox();
    expect((await unpack(sandbox, join(sandbox.dir, 'none', 'root'))).refused).toBe('NOT_FOUND');
  });

  it('is no place for the command either, which says so', async () => {
    const sandbox = new Sandbox();
    const cli = new Cli();
    await addImage(cli.path('store'), layers);
    mkdirSync(sandbox.path('full'), { recursive: true });
    chmodSync(sandbox.path('full'), 0o700);
    const { status, stderr } = await cli.run(['unpack', 'hostile:1', sandbox.target]);
    expect(status).toBe(6);
    expect(stderr).toContain('with something in it');
    expect(readdirSync(sandbox.target)).toEqual(['full']);
  });
});
