import { describe, expect } from 'vitest';
import { bothWays, directory, file, hardlink, symlink } from './support.ts';

describe('a hardlink', () => {
  bothWays('to a file outside is refused: an absolute target is one inside, which is not there', ({ outside }) => [[hardlink('link', `${outside}/secret`)]], ({ refused }) => expect(refused).toBe('INVALID_TAR'));
  bothWays('through a symlink to the outside is refused', ({ outside }) => [[symlink('way', outside), hardlink('link', 'way/secret')]], ({ refused }) => expect(['UNSAFE_PATH', 'INVALID_TAR']).toContain(refused));
  bothWays('through a symlink deep below is refused', ({ outside }) => [[directory('a/'), symlink('a/way', outside), hardlink('link', 'a/way/folder/x')]], ({ refused }) => expect(['UNSAFE_PATH', 'INVALID_TAR']).toContain(refused));
  bothWays('to a directory is refused', [[directory('a/'), hardlink('link', 'a')]], ({ refused }) => expect(refused).toBe('INVALID_TAR'));
  bothWays('to the root is refused', [[directory('./'), hardlink('link', '/')]], ({ refused }) => expect(refused).toBe('INVALID_TAR'));
  bothWays('to itself is refused', [[hardlink('link', 'link')]], ({ refused }) => expect(refused).toBe('INVALID_TAR'));

  // What a later entry says of the link must not reach through it.
  bothWays('to a symlink is one more symlink; its target gets no mode, owner or time', ({ outside }) => [[symlink('way', `${outside}/secret`), hardlink('link', 'way'), { ...hardlink('more', 'way'), mode: 0o777, mtime: 5 }]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    sandbox.expectUntouched();
  });

  bothWays('to such a symlink is not followed to write', ({ outside }) => [[symlink('way', outside), hardlink('link', 'way'), file('link/new')]], ({ refused }) => expect(['UNSAFE_PATH', 'INVALID_TAR']).toContain(refused));
});
