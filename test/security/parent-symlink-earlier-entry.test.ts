import { lstatSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { bothWays, directory, file, hardlink, symlink } from './support.ts';

describe('a symlink that an earlier entry of the layer has made', () => {
  const refusals = ['UNSAFE_PATH', 'INVALID_TAR'];

  bothWays('is not followed to write a file', ({ outside }) => [[symlink('way', outside), file('way/new')]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays('is not followed to write over a file', ({ outside }) => [[symlink('way', `${outside}/secret`), file('way')]], ({ refused, way }) => expect(refused).toBe(way === 'the command' ? 'INVALID_TAR' : 'CONFLICT'));
  bothWays('is not followed by a relative target either', [[symlink('way', '../../outside'), file('way/new')]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays('is not followed deep below', ({ outside }) => [[directory('a/'), symlink('a/way', outside), file('a/way/folder/new')]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays('is not followed through another one', ({ outside }) => [[symlink('one', outside), symlink('two', 'one'), file('two/new')]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays('is not followed to make a directory', ({ outside }) => [[symlink('way', outside), directory('way/new/')]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays('is not followed to make a symlink', ({ outside }) => [[symlink('way', outside), symlink('way/new', '/etc')]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays('is not followed to make a hardlink', ({ outside }) => [[symlink('way', outside), file('a'), hardlink('way/new', 'a')]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays('is not followed to make a fifo', ({ outside }) => [[symlink('way', outside), { path: 'way/new', type: 'fifo' }]], ({ refused }) => expect(refusals).toContain(refused));
  bothWays(
    'gets no mode, owner or time through a directory of its name',
    ({ outside }) => [[symlink('way', `${outside}/folder`), directory('way/', { mode: 0o777, mtime: 1 })]],
    ({ refused }) => expect(refused === 'UNSAFE_PATH' || refused === 'INVALID_TAR').toBe(true),
  );

  bothWays('that leads within the root is not followed either: a name is where it is', [[directory('real/'), symlink('way', 'real'), file('way/new')]], ({ refused }) => expect(refusals).toContain(refused));

  bothWays('beside a file of a longer name is no matter', ({ outside }) => [[symlink('way', outside), file('ways/new')]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(sandbox.text('ways/new')).toBe('unpacked\n');
    expect(lstatSync(sandbox.path('way')).isSymbolicLink()).toBe(true);
  });
});
