import { readdirSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { bothWays, directory, file, symlink } from './support.ts';

describe('whiteouts', () => {
  for (const name of ['.wh.', '.wh..', '.wh...', 'a/.wh.', 'a/.wh..', 'a/.wh...']) {
    bothWays(`of a name that the specification forbids are refused: ${name}`, [[directory('a/'), file('a/b')], [file(name, '')]], ({ refused }) => expect(refused).toBe('UNSAFE_PATH'));
  }

  bothWays('are no files: the extractor alone refuses them, the command applies them', [[file('a/b'), file('a/c')], [file('a/.wh.b', '')]], ({ way, sandbox, refused }) => {
    if (way === 'the extractor alone') return expect(refused).toBe('UNSAFE_PATH');
    expect(refused).toBeUndefined();
    expect(readdirSync(sandbox.path('a'))).toEqual(['c']);
  });

  bothWays('whose names go on with dots and backslashes take nothing away but what is called so', [[file('a'), file('b')], [file('.wh...\\outside', ''), symlink('.wh.a', '../outside')]], ({ way, sandbox, refused }) => {
    if (way === 'the extractor alone') return expect(refused).toBe('UNSAFE_PATH');
    expect(refused).toBeUndefined();
    expect(readdirSync(sandbox.target)).toEqual(['b']);
  });
});
