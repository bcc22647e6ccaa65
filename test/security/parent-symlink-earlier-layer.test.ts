import { lstatSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { bothWays, directory, file, symlink } from './support.ts';

describe('a symlink of a lower layer', () => {
  bothWays('where an upper layer has a directory is replaced by it; the extractor alone refuses', ({ outside }) => [[symlink('way', outside)], [file('way/new')]], ({ way, sandbox, refused }) => {
    if (way === 'the extractor alone') return expect(refused).toBe('UNSAFE_PATH');
    expect(refused).toBeUndefined();
    expect(lstatSync(sandbox.path('way')).isDirectory()).toBe(true);
    expect(sandbox.text('way/new')).toBe('unpacked\n');
  });

  bothWays('gets nothing of the directory of its name', ({ outside }) => [[symlink('way', `${outside}/folder`)], [directory('way/', { mode: 0o700 })]], ({ way, sandbox, refused }) => {
    if (way === 'the extractor alone') return expect(refused).toBe('UNSAFE_PATH');
    expect(refused).toBeUndefined();
    expect(lstatSync(sandbox.path('way')).isDirectory()).toBe(true);
  });

  bothWays('is not followed where an upper layer replaces its target', ({ outside }) => [[symlink('way', `${outside}/secret`)], [file('way', 'replaced\n')]], ({ way, sandbox, refused }) => {
    if (way === 'the extractor alone') return expect(refused).toBe('CONFLICT');
    expect(refused).toBeUndefined();
    expect(sandbox.text('way')).toBe('replaced\n');
  });

  bothWays('is not followed by a whiteout below it', ({ outside }) => [[symlink('way', outside)], [file('way/.wh.secret', '')]], ({ way, refused }) => {
    expect(refused).toBe(way === 'the extractor alone' ? 'UNSAFE_PATH' : undefined);
  });

  bothWays('is not followed by an opaque marker below it', ({ outside }) => [[symlink('way', outside)], [file('way/.wh..wh..opq', '')]], ({ way, refused }) => {
    expect(refused).toBe(way === 'the extractor alone' ? 'UNSAFE_PATH' : undefined);
  });

  bothWays('of three layers is never followed', ({ outside }) => [[directory('way/'), file('way/a')], [symlink('way', outside)], [file('way/folder/new')]], ({ way, refused }) => {
    expect(refused).toBe(way === 'the extractor alone' ? 'CONFLICT' : undefined);
  });
});
