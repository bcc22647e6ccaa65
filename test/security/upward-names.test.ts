import { describe, expect } from 'vitest';
import { bothWays, directory, file, hardlink } from './support.ts';

describe('names that lead upwards', () => {
  for (const name of ['..', '../escaped', './../escaped', '/../escaped', 'a/..', 'a/../b', 'a/../../escaped', 'a/./../../outside/secret', '../outside/folder/x']) {
    bothWays(`are refused: ${name}`, [[directory('a/'), file(name)]], ({ refused }) => expect(refused).toBe('UNSAFE_PATH'));
  }

  for (const name of ['..', '../escaped', 'a/../../escaped']) {
    bothWays(`are refused of a directory: ${name}/`, [[directory('a/'), directory(`${name}/`)]], ({ refused }) => expect(refused).toBe('UNSAFE_PATH'));
    bothWays(`are refused of the target of a hardlink: ${name}`, [[file('a/b'), hardlink('link', name)]], ({ refused }) => expect(refused).toBe('UNSAFE_PATH'));
  }

  bothWays('are no such names with more dots, or fewer', [[file('.../a'), file('..b'), file('./.c'), file('d..')]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    for (const name of ['.../a', '..b', '.c', 'd..']) expect(sandbox.text(name)).toBe('unpacked\n');
  });
});
