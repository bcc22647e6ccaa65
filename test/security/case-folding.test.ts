import { linkSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { WriteEntry } from '../../packages/core/src/runtime/tree-writer.ts';
import { Sandbox, attemptOf, bothWays, directory, file, symlink } from './support.ts';

/**
 * As a file system writes names that takes `Name` and `name` for one: after each entry the other spelling is there too, the same file,
 * or a directory.
 */
async function* folded(sandbox: Sandbox, ...entries: readonly WriteEntry[]): AsyncGenerator<WriteEntry, void, void> {
  for (const entry of entries) {
    yield entry;
    const within = join(sandbox.dir, 'within');
    const root = join(within, readdirSync(within)[0] ?? '');
    const other = join(root, entry.path.toLowerCase());
    if (entry.path === entry.path.toLowerCase()) continue;
    if (entry.type === 'directory') mkdirSync(other);
    else linkSync(join(root, entry.path), other);
  }
}

describe('names that differ only in case', () => {
  it.each<[string, WriteEntry, WriteEntry]>([
    ['a file over a symlink', symlink('Way', '../../outside/secret'), file('way', 'changed\n')],
    ['a file over a file', file('Way'), file('way')],
    ['a file into a symlink', symlink('Way', '../../outside'), file('way/new')],
    ['a directory over a symlink', symlink('Way', '../../outside/folder'), directory('way/', { mode: 0o777 })],
    ['a directory over a directory', directory('Way/'), directory('way/')],
    ['a symlink over a directory', directory('Way/'), symlink('way', '../../outside')],
  ])('are refused where the file system takes them for one: %s', async (_, first, second) => {
    const sandbox = new Sandbox();
    const { refused } = await attemptOf(sandbox, () => writeTree(folded(sandbox, first, second), sandbox.target));
    expect(['CONFLICT', 'UNSAFE_PATH']).toContain(refused);
    sandbox.expectUntouched();
    sandbox.expectNothingLeft();
  });

  bothWays('are two names elsewhere', [[symlink('Way', '../../outside/secret'), file('way', 'a file\n')]], ({ sandbox, refused }) => {
    // As macOS and Windows have it by default.
    if (process.platform === 'darwin' || process.platform === 'win32') return expect(refused).toBeDefined();
    expect(refused).toBeUndefined();
    expect(sandbox.text('way')).toBe('a file\n');
  });
});
