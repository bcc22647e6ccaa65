import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { WriteEntry } from '../../packages/core/src/runtime/tree-writer.ts';
import { Sandbox, attemptOf, directory, file, hardlink, symlink } from './support.ts';

/** Entries, and what another process does between them: it is told the directory that is being written. */
type Step = WriteEntry | ((root: string) => void);

async function* steps(sandbox: Sandbox, ...all: readonly Step[]): AsyncGenerator<WriteEntry, void, void> {
  for (const step of all) {
    if (typeof step !== 'function') yield step;
    else {
      const within = join(sandbox.dir, 'within');
      const [name = ''] = readdirSync(within);
      step(join(within, name));
    }
  }
}

const replaced = (name: string, target: string) => (root: string) => {
  renameSync(join(root, name), join(root, `${name}.away`));
  symlinkSync(target, join(root, name));
};

// Many directories, so that the handle of the first one is not open any more.
const others = Array.from({ length: 200 }, (_, i) => file(`other${i}/x`, ''));

describe.each([
  ['with handles', true],
  ['with checks', false],
] as const)('a symlink that another process plants, %s,', (_, handles) => {
  const write = (sandbox: Sandbox, ...all: readonly Step[]) => attemptOf(sandbox, () => writeTree(steps(sandbox, ...all), sandbox.target, { handles }));

  it.each<[string, readonly WriteEntry[]]>([
    ['a file', [file('way/new')]],
    ['a directory', [directory('way/new/')]],
    ['a symlink', [symlink('way/new', 'x')]],
    ['a hardlink', [hardlink('way/new', 'a')]],
    ['a fifo', [{ path: 'way/new', type: 'fifo' }]],
  ])('where a directory is not made yet is not followed by %s', async (_, entries) => {
    const sandbox = new Sandbox();
    const { refused } = await write(sandbox, file('a'), (root) => symlinkSync(sandbox.outside, join(root, 'way')), ...entries);
    expect(refused).toBe('UNSAFE_PATH');
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  it('in place of a directory is not followed by what comes into it', async () => {
    const sandbox = new Sandbox();
    const { refused } = await write(sandbox, directory('way/'), replaced('way', sandbox.outside), file('way/new'));
    expect(refused).toBe('CONFLICT');
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  it('in place of a directory that was not used for long is not followed either', async () => {
    const sandbox = new Sandbox();
    const { refused } = await write(sandbox, directory('way/folder/'), ...others, replaced('way', sandbox.outside), file('way/folder/new'));
    expect(refused).toBe('CONFLICT');
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  it('in place of a directory that is finished later gets no mode, owner or time', async () => {
    const sandbox = new Sandbox();
    const { refused } = await write(sandbox, directory('way/', { mode: 0o777, uid: 1, mtime: 1 }), ...others, replaced('way', join(sandbox.outside, 'folder')));
    expect(refused).toBe('CONFLICT');
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  it('in place of a file is not written through', async () => {
    const sandbox = new Sandbox();
    const { refused } = await write(sandbox, directory('a/'), (root) => symlinkSync(join(sandbox.outside, 'secret'), join(root, 'a/file')), file('a/file', 'changed'));
    expect(refused).toBe('CONFLICT');
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  it('and a directory of its own in place of ours are told apart', async () => {
    const sandbox = new Sandbox();
    const moveIn = (root: string) => {
      renameSync(join(root, 'way'), join(root, 'away'));
      mkdirSync(join(root, 'way'));
    };
    const { refused } = await write(sandbox, directory('way/'), ...others, moveIn, file('way/new'));
    expect(refused).toBe('CONFLICT');
    sandbox.expectNothingLeft();
  });

  it('in what is left behind is removed, not what it leads to', async () => {
    const sandbox = new Sandbox();
    const plant = (root: string) => {
      symlinkSync(sandbox.outside, join(root, 'a/link'));
      writeFileSync(join(root, 'a/file'), '');
    };
    const { refused } = await write(sandbox, directory('a/'), plant, file('../a'));
    expect(refused).toBe('UNSAFE_PATH');
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  it('in place of the whole directory keeps it from getting its name', async () => {
    const sandbox = new Sandbox();
    const { refused } = await write(sandbox, file('a'), (root) => {
      renameSync(root, join(sandbox.dir, 'taken'));
      symlinkSync(sandbox.outside, root);
    });
    expect(refused).toBe('CONFLICT');
    sandbox.expectUntouched();
    expect(readdirSync(join(sandbox.dir, 'within'))).not.toContain('root');
  });
});
