import { describe, expect } from 'vitest';
import { bothWays, file, hardlink, symlink } from './support.ts';

describe('an entry for the root itself', () => {
  for (const name of ['.', './', '/']) {
    bothWays(`that is a symlink is refused: ${JSON.stringify(name)}`, ({ outside }) => [[symlink(name, outside), file('new')]], ({ refused }) => expect(refused).toBeDefined());
    bothWays(`that is a hardlink is refused: ${JSON.stringify(name)}`, [[file('a'), hardlink(name, 'a')]], ({ refused }) => expect(refused).toBeDefined());
  }
  bothWays('that is a file is refused', [[file('.')]], ({ refused }) => expect(refused).toBeDefined());
  bothWays('in an upper layer is refused as well', ({ outside }) => [[file('a')], [symlink('.', outside)], [file('new')]], ({ refused }) => expect(refused).toBeDefined());
});
