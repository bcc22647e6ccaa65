import { describe, expect, it } from 'vitest';
import { bytesSource, collect, isOciTarError } from '@oci-tar/core';
import { tarLayerView } from '../../packages/core/src/layer/find-in-tar.ts';
import { hasExactNames, tocEntries, tocLayerView } from '../../packages/core/src/layer/find-in-toc.ts';
import { LayerReader } from '../../packages/core/src/layer/scan.ts';
import { openSeekable } from '../../packages/core/src/seekable/open.ts';
import type { SeekableLayer } from '../../packages/core/src/seekable/open.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { xattrs } from '../../packages/core/src/tar/xattr.ts';
import { built, directory, file, hardlink, symlink, tarOf } from '../seekable/support.ts';
import { CountingSource, gather, inRuns } from '../tar/streams.ts';
import fc from '../support/fast-check.ts';

async function layerOf(tar: Uint8Array, options = {}): Promise<SeekableLayer> {
  return openSeekable(bytesSource((await built(tar, { lossless: true, ...options })).blob));
}

const paths = ['a', 'b', 'a/b', 'a/c', 'a/b/c', 'b/c'];
const entry = fc.record({ kind: fc.constantFrom('file', 'file', 'file', 'directory', 'directory', 'symlink', 'whiteout', 'opaque', 'hardlink'), path: fc.constantFrom(...paths), target: fc.constantFrom(...paths), prefix: fc.constantFrom('', './', '/') });

function packEntry({ kind, path, target, prefix }: { readonly kind: string; readonly path: string; readonly target: string; readonly prefix: string }, index: number): PackEntry {
  if (kind === 'whiteout') return file(prefix + path.replace(/([^/]+)$/, '.wh.$1'), '');
  if (kind === 'opaque') return file(`${prefix}${path}/.wh..wh..opq`, '');
  if (kind === 'directory') return directory(`${prefix}${path}/`);
  if (kind === 'symlink') return symlink(prefix + path, target);
  if (kind === 'hardlink') return hardlink(prefix + path, prefix + target);
  return file(prefix + path, 'x'.repeat(index + 1));
}

describe('a layer looked into by its TOC', () => {
  it('has the same at every path as its tar', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(entry, { maxLength: 6, selector: ({ path }) => path }), async (random) => {
        const tar = await tarOf(...random.map(packEntry));
        const layer = await layerOf(tar).catch((error: unknown) => {
          // A file with something in it, a link to nothing: no TOC can have them.
          if (isOciTarError(error, 'INVALID_TOC')) return undefined;
          throw error;
        });
        fc.pre(layer !== undefined);
        const byTar = tarLayerView(() => inRuns(tar), { last: true });
        const byToc = tocLayerView(async () => layer);
        for (const path of paths) {
          const [expected, actual] = [await byTar.lookup(path), await byToc.lookup(path)];
          expect({ ...actual, entry: { ...actual.entry, read: undefined } }).toEqual({ ...expected, entry: { ...expected.entry, read: undefined } });
          if (actual.entry?.type !== 'file' || expected.entry === undefined) continue;
          found += 1;
          expect(await gather(actual.entry.read())).toEqual(await gather(expected.entry.read()));
        }
      }),
      { numRuns: 300 },
    );
    expect(found).toBeGreaterThan(100);
  });

  it('has every entry with all that its tar says of it', async () => {
    const tar = await tarOf(
      directory('./d/', { mode: 0o1755, mtime: 5, uid: 7, uname: 'eve' }),
      file('./d/f', 'content', { mode: 0o4750, uid: 7, uname: 'eve', gid: 9, gname: 'staff', mtime: 1_700_000_000, pax: new Map([['SCHILY.xattr.user.x', Uint8Array.of(0, 255)]]) }),
      symlink('s', '../nowhere'),
      { path: 'c', type: 'character-device', devmajor: 300, devminor: 70_000 },
      { path: 'p', type: 'fifo' },
    );
    const layer = await layerOf(tar, { chunkSize: 3 });
    const reader = new LayerReader(inRuns(tar), { headerBytes: 1 << 20 });
    const listed = tocEntries(layer);
    for (let expected = await reader.next(); expected !== undefined; expected = await reader.next()) {
      const { path, pathBytes, type, size, mode, uid, gid, mtime, linkname, uname, gname, devmajor, devminor } = expected;
      const actual = await listed.next();
      expect(actual).toMatchObject({ path, pathBytes, type, size, mode, uid, gid, mtime, linkname, uname, gname, devmajor, devminor });
      expect(actual === undefined ? undefined : xattrs(actual)).toEqual(xattrs(expected));
      if (path === './d/f') expect(xattrs(expected).size).toBe(1);
    }
    expect(await listed.next()).toBeUndefined();
  });

  it('reads the chunks of what is found, and nothing else of the layer', async () => {
    const big = new Uint8Array(300_000).map((_, at) => (at * 2_654_435_761) >>> 13);
    const { blob } = await built(await tarOf(file('before', big), file('wanted', 'found'), file('after', big)));
    const source = new CountingSource(blob);
    const layer = await openSeekable(source);
    source.reads = [];
    const view = tocLayerView(async () => layer);
    const { entry: found } = await view.lookup('wanted');
    if (found === undefined) throw new Error('not found');
    expect(Buffer.from(await collect(found.read(), 10, 'wanted')).toString()).toBe('found');
    expect(source.reads).toHaveLength(1);
    expect(source.reads[0]).toEqual([layer.lookup('wanted')?.chunks[0]?.offset, layer.lookup('wanted')?.nextOffset]);
    expect((await view.lookup('none')).entry).toBeUndefined();
    expect(source.reads).toHaveLength(1);
  });

  it('is known not to have names that no TOC can have', async () => {
    const bad = await tarOf(file('a', '1'), { ...file('x', ''), pathBytes: Uint8Array.of(0x63, 0xe9) });
    expect(hasExactNames(await layerOf(await tarOf(file('ü', '1'), symlink('s', 'ä'))))).toBe(true);
    expect(hasExactNames(await layerOf(bad, { invalidNames: 'replace' }))).toBe(false);
  });
});
