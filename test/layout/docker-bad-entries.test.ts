import type { ErrorCode } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { flipped } from '../hostile/archives.ts';
import { refused, ways } from '../hostile/attempt.ts';
import { hardlink, symlink, tarOf, text } from './docker-archives.ts';
import type { Entry } from './docker-archives.ts';
import { asItem, but, good, lower, manifest, upper, without } from './docker-bad-samples.ts';

const special = (typeflag: string): Entry => ({ name: 'lower.tar', header: { typeflag, devmajor: 1, devminor: 3 } });

const cases: readonly (readonly [what: string, code: ErrorCode, entries: readonly Entry[]])[] = [
  ['no config', 'NOT_FOUND', without('c.json')],
  ['no layer', 'NOT_FOUND', without('upper.tar')],
  ['a config out of the archive', 'UNSAFE_PATH', asItem({ Config: '../c.json' })],
  ['an absolute layer', 'UNSAFE_PATH', asItem({ Layers: ['/lower.tar', 'upper.tar'] })],
  ['a layer with a NUL in its path', 'UNSAFE_PATH', asItem({ Layers: ['lower.tar\0', 'upper.tar'] })],
  ['a symbolic link out of the archive', 'UNSAFE_PATH', but(symlink('lower.tar', '../lower.tar'))],
  ['an absolute symbolic link', 'UNSAFE_PATH', but(symlink('lower.tar', '/lower.tar'))],
  ['a hard link out of the archive', 'UNSAFE_PATH', but(hardlink('lower.tar', '../etc/shadow'))],
  ['a link to nothing', 'NOT_FOUND', but(symlink('lower.tar', 'elsewhere.tar'))],
  ['a link to itself', 'INVALID_LAYOUT', but(symlink('lower.tar', 'lower.tar'))],
  ['links in a ring', 'INVALID_LAYOUT', [...but(symlink('lower.tar', 'x/a')), symlink('x/a', '../y'), hardlink('y', 'lower.tar')]],
  ['a chain of too many links', 'LIMIT_EXCEEDED', [...but(symlink('lower.tar', '0')), ...Array.from({ length: 40 }, (_, step) => symlink(`${step}`, `${step + 1}`)), { name: '40', body: lower }]],
  ['two links of one name that lead to different files', 'INVALID_LAYOUT', [...but(symlink('lower.tar', 'a.tar')), symlink('lower.tar', 'b.tar'), { name: 'a.tar', body: lower }, { name: 'b.tar', body: lower }]],
  ['a link for manifest.json that leads out', 'UNSAFE_PATH', [...without('manifest.json'), symlink('manifest.json', '/etc/passwd')]],
  ['a character device as a layer', 'NOT_FOUND', but(special('3'))],
  ['a block device as a layer', 'NOT_FOUND', but(special('4'))],
  ['a FIFO as a layer', 'NOT_FOUND', but(special('6'))],
  ['a directory as a layer', 'NOT_FOUND', but(special('5'))],
  ['two entries of one name that differ', 'INVALID_LAYOUT', [...good, { name: './upper.tar', body: flipped(upper, 600) }]],
  ['two manifest.json that differ', 'INVALID_LAYOUT', [...good, manifest([])]],
];

describe.each(ways)('by %s, a docker archive', (way) => {
  it.each(cases)('with %s is refused (%s)', async (_what, code, entries) => {
    await refused(way, tarOf(entries), code);
  });

  it('but for these faults is taken', async () => {
    await expect(refused(way, tarOf(good), 'NOT_FOUND')).rejects.toThrow('was taken');
  });

  it('with something else than files under the name of a layer says what it is', async () => {
    expect((await refused(way, tarOf(but(special('3'))), 'NOT_FOUND')).message).toContain('it is a character device, not a file');
  });

  it('with a layer missing says which, and of what', async () => {
    expect((await refused(way, tarOf(without('upper.tar')), 'NOT_FOUND')).message).toMatch(/has no upper\.tar, a layer of c\.json$/);
  });
});

describe.each(ways)('by %s, a tar that is no image archive', (way) => {
  const hintOf = async (entries: readonly Entry[]) => (await refused(way, tarOf(entries), 'INVALID_LAYOUT')).hint;

  it('is refused with a hint at what it holds', async () => {
    expect(await hintOf(['a', 'b/c'].map((name) => ({ name, body: text(name) })))).toBe('It holds a, b.');
    expect(await hintOf([])).toBe('It holds no files.');
    expect(await hintOf([{ name: 'image.tar', body: tarOf(good) }])).toContain('image.tar');
  });

  it('is told for a root file system', async () => {
    expect(await hintOf(['etc/passwd', 'usr/bin/env', 'bin/sh', 'manifest.txt', 'usr/share/x/manifest.json'].map((name) => ({ name, body: text(name) })))).toContain('--layer');
  });

  it('is told for an index.json without its oci-layout', async () => {
    expect((await refused(way, tarOf([{ name: 'index.json', body: text('{}') }]), 'INVALID_LAYOUT')).message).toContain('no oci-layout');
  });
});
