import { describe, expect } from 'vitest';
import { bothWays, directory, file, hardlink, symlink } from './support.ts';

describe('a name that a layer has twice', () => {
  const outside = '../../outside/secret';
  bothWays('is not written twice: a file over a symlink', [[symlink('a', outside), file('a')]], ({ refused }) => expect(['CONFLICT', 'INVALID_TAR']).toContain(refused));
  bothWays('is not written twice: a file over a hardlink', [[file('b'), hardlink('a', 'b'), file('a', 'changed\n')]], ({ refused }) => expect(['CONFLICT', 'INVALID_TAR']).toContain(refused));
  bothWays('is not written twice: a symlink over a directory', [[directory('a/'), symlink('a', outside)]], ({ refused }) => expect(['CONFLICT', 'INVALID_TAR']).toContain(refused));
  bothWays('is not written twice: spelled in two ways', [[file('a'), file('.//a')]], ({ refused }) => expect(['CONFLICT', 'INVALID_TAR']).toContain(refused));

  bothWays('is what it was last where that is asked for; the extractor alone refuses', [[symlink('a', '../../outside'), directory('a/'), file('a/b', 'last\n')]], ({ way, sandbox, refused }) => {
    if (way === 'the extractor alone') return expect(refused).toBe('UNSAFE_PATH');
    expect(refused).toBeUndefined();
    expect(sandbox.text('a/b')).toBe('last\n');
  }, ['--last-duplicate']);
});
