import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { writeTree } from '../../packages/core/src/runtime/node/write-tree.ts';
import type { WriteEntry } from '../../packages/core/src/runtime/tree-writer.ts';
import { Sandbox, attemptOf, bothWays, directory, file, hardlink } from './support.ts';

async function* only(...entries: readonly WriteEntry[]): AsyncGenerator<WriteEntry, void, void> {
  yield* entries;
}

const onWindows = process.platform === 'win32';

describe('odd names', () => {
  bothWays('with backslashes are one name, not a path', [[file('..\\..\\outside\\secret'), file('C:\\x')]], ({ sandbox, refused }) => {
    if (onWindows) return expect(refused).toBe('UNSAFE_PATH');
    expect(refused).toBeUndefined();
    expect(readdirSync(sandbox.target).toSorted()).toEqual(['..\\..\\outside\\secret', 'C:\\x']);
  });

  bothWays('with line ends and escapes are names', [[file('a\nb'), file('\u001b[31mred')]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(sandbox.text('a\nb')).toBe('unpacked\n');
  });

  bothWays('that are not UTF-8 keep their bytes', [[file('', 'bytes\n', { pathBytes: Uint8Array.of(0x64, 0x69, 0x72, 0x2f, 0xff, 0xfe) })]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(readdirSync(sandbox.path('dir'), { encoding: 'buffer' })).toEqual([Buffer.of(0xff, 0xfe)]);
  });

  bothWays('of one part that is too long are refused', [[file('x'.repeat(256))]], ({ refused }) => expect(refused).toBe('LIMIT_EXCEEDED'));
  bothWays('of too many bytes are refused', [[file('x/'.repeat(2100))]], ({ refused }) => expect(refused).toBe('LIMIT_EXCEEDED'));

  bothWays('of 300 directories one in the other are written, and read back by handles', [[directory('d/'.repeat(300)), file(`${'d/'.repeat(300)}file`)]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(sandbox.text(`${'d/'.repeat(300)}file`)).toBe('unpacked\n');
  });

  it.each<[string, WriteEntry]>([
    ['a file', { path: 'a\0b', type: 'file' }],
    ['a directory', { path: 'a\0b/', type: 'directory' }],
    ['a file by its bytes', { path: 'ab', pathBytes: Uint8Array.of(0x61, 0, 0x62), type: 'file' }],
    ['a hardlink’s target', { ...hardlink('b', 'a\0'), linknameBytes: Uint8Array.of(0x61, 0) }],
  ])('with a NUL are refused: %s', async (_, entry) => {
    const sandbox = new Sandbox();
    const { refused } = await attemptOf(sandbox, () => writeTree(only(file('a'), entry), sandbox.target));
    expect(refused).toBe('UNSAFE_PATH');
    sandbox.expectNothingLeft();
  });
});
