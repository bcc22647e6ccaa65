import { isOciTarError } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { ArchiveEntries, linkLimit } from '../../packages/core/src/layout/archive-entries.ts';
import { layoutPrefix } from '../../packages/core/src/layout/prefix.ts';
import fc from '../support/fast-check.ts';

function entriesOf(files: readonly string[], links: readonly (readonly [path: string, target: string, type?: 'hardlink' | 'symlink'])[] = []): ArchiveEntries<{ readonly is: string }> {
  const entries = new ArchiveEntries<{ readonly is: string }>('in.tar');
  for (const path of files) entries.addFile(path, { is: path });
  for (const [path, target, type = 'symlink'] of links) entries.addOther(path, type, target);
  return entries;
}

describe('the entries of an archive', () => {
  it('are found by their paths, with and without ./', () => {
    const entries = entriesOf(['./a', 'b/c']);
    expect(entries.find('a')).toEqual({ is: './a' });
    expect(entries.find('b/c')).toEqual({ is: 'b/c' });
    expect(() => entries.find('b')).toThrow('in.tar has no b');
    expect([...entries.files()].map(([path]) => path)).toEqual(['a', 'b/c']);
  });

  it.each([
    ['a symbolic link from its own folder', 'x/y/link', '../z/./file', 'symlink'],
    ['a symbolic link with empty parts', 'x/link', './/z///file', 'symlink'],
    ['a hard link from the top', 'somewhere/else', './x/z/file', 'hardlink'],
  ] as const)('follow %s', (_what, path, target, type) => {
    expect(entriesOf(['x/z/file'], [[path, target, type]]).find(path)).toEqual({ is: 'x/z/file' });
  });

  it.each(['/x', '../..', '../../x', 'a/../../../x', '../x/../../y'])('refuse a link to %s, which is out of the archive', (target) => {
    expect(() => entriesOf(['x'], [['d/link', target]]).find('d/link')).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }));
  });

  it('follow as many links as they say, and no more', () => {
    const chain = (length: number) => Array.from({ length }, (_, step) => [`l${step}`, step === length - 1 ? 'file' : `l${step + 1}`] as const);
    expect(entriesOf(['file'], chain(linkLimit)).find('l0')).toEqual({ is: 'file' });
    expect(() => entriesOf(['file'], chain(linkLimit + 1)).find('l0')).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED', details: expect.objectContaining({ limit: linkLimit }) as object }));
  });

  it('never loop nor leave the archive, whatever the links are', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd/e', 'd/f');
    const target = fc.constantFrom('a', 'b', '../a', '../b', 'e', 'f', 'd/e', './d/f', '../../x', '/a', 'file', '../file', '');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, target, fc.constantFrom('hardlink' as const, 'symlink' as const)), { maxLength: 8 }), name, (links, asked) => {
        try {
          expect(entriesOf(['file'], links).find(asked)).toEqual({ is: 'file' });
        } catch (error) {
          if (!isOciTarError(error)) throw error;
          expect(['NOT_FOUND', 'UNSAFE_PATH', 'INVALID_LAYOUT']).toContain(error.code);
        }
      }),
    );
  });
});

describe('the folder that an archive lies in', () => {
  it.each([
    [['oci-layout', 'index.json'], ''],
    [['image/oci-layout', 'image/index.json'], 'image/'],
    [['a/b/manifest.json', 'a/b/x.tar'], 'a/b/'],
    [['a/repositories', 'a/id/json'], 'a/'],
    [['._image', 'image/oci-layout', 'image/._oci-layout'], 'image/'],
    [['image/oci-layout', 'image/inner/oci-layout'], 'image/'],
    [['manifest.json', 'inner/oci-layout'], ''],
    [['image/oci-layout', 'README'], ''],
    [['usr/share/manifest.json', 'etc/passwd'], ''],
    [['../oci-layout', '../index.json'], ''],
    [['/oci-layout', '/index.json'], ''],
    [['a//oci-layout'], ''],
    [['a/./oci-layout'], ''],
    [[], ''],
  ] as const)('of %j is %j', (paths, prefix) => {
    expect(layoutPrefix(new Set(paths))).toBe(prefix);
  });
});
