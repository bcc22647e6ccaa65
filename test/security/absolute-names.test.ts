import { existsSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { bothWays, directory, file, hardlink, symlink } from './support.ts';

describe('absolute names', () => {
  bothWays('are names below the root of what is unpacked', ({ outside }) => [[directory('/'), directory(`${outside}/`), file(`${outside}/new`), file('//twice/slashed')]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(sandbox.text(join(sandbox.outside, 'new'))).toBe('unpacked\n');
    expect(sandbox.text('twice/slashed')).toBe('unpacked\n');
    expect(existsSync(join(sandbox.outside, 'new'))).toBe(false);
  });

  bothWays('of hardlink targets are too', ({ outside }) => [[file(`${outside}/secret`), hardlink('link', `${outside}/secret`)]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(sandbox.text('link')).toBe('unpacked\n');
    expect(statSync(sandbox.path('link')).nlink).toBe(2);
  });

  bothWays('of symlink targets stay as they are, and are not followed', ({ outside }) => [[symlink('link', `${outside}/secret`)]], ({ sandbox, refused }) => {
    expect(refused).toBeUndefined();
    expect(readlinkSync(sandbox.path('link'))).toBe(join(sandbox.outside, 'secret'));
  });
});
