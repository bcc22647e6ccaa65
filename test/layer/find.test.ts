import { describe, expect, it } from 'vitest';
import { bytesSource, collect } from '@oci-tar/core';
import { seekableTarView, tarLayerView } from '../../packages/core/src/layer/find-in-tar.ts';
import { findInTree } from '../../packages/core/src/layer/find-in-tree.ts';
import { followPath, nearNames } from '../../packages/core/src/layer/find-path.ts';
import { findInLayers } from '../../packages/core/src/layer/find.ts';
import type { LayeredEntry, LayerView, Lookup } from '../../packages/core/src/layer/find.ts';
import { readTree } from '../../packages/core/src/layer/read-tree.ts';
import type { MergedTree } from '../../packages/core/src/layer/tree.ts';
import { isOciTarError } from '../../packages/core/src/errors.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { rawEntry, rawPax, join } from '../tar/raw.ts';
import { CountingSource } from '../tar/streams.ts';
import fc from '../support/fast-check.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

async function tarOf(entries: readonly PackEntry[]): Promise<Uint8Array> {
  return collect(pieceBytes(pack(entries)), 1 << 24, 'a layer');
}

/** Views of layers, topmost first, that count the bytes read of each. */
function viewsOf(...layers: readonly Uint8Array[]) {
  const read = layers.map(() => 0);
  const views = layers.map((bytes, position) =>
    tarLayerView(async function* () {
      for (let at = 0; at < bytes.length; at += 65_536) {
        const run = bytes.subarray(at, at + 65_536);
        read[position] = (read[position] ?? 0) + run.length;
        yield run;
      }
    }),
  );
  return { views, read };
}

const file = (path: string, data = path): PackEntry => ({ path, type: 'file', size: Buffer.byteLength(data), data: Buffer.from(data) });
const link = (path: string, linkname: string): PackEntry => ({ path, type: 'symlink', linkname });
const hard = (path: string, linkname: string): PackEntry => ({ path, type: 'hardlink', linkname });
const dir = (path: string): PackEntry => ({ path, type: 'directory' });

/** The text of a file, symlinks followed. */
async function cat(path: string, ...layers: readonly (readonly PackEntry[])[]): Promise<string> {
  const { views } = viewsOf(...(await Promise.all(layers.map(tarOf))));
  const { entry } = await followPath(path, (wanted) => findInLayers(views, wanted));
  if (entry === undefined) throw new Error(`${path} is a directory`);
  return text(await collect(entry.read(), 1 << 20, path));
}

const paths = ['a', 'b', 'a/b', 'a/c', 'a/b/c', 'b/c', 'b/c/d'];
const entry = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('file', 'directory', 'symlink', 'whiteout', 'opaque'), path: fc.constantFrom(...paths), target: fc.constant('') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hardlink'), path: fc.constantFrom(...paths), target: fc.constantFrom(...paths) }) },
);

/** Sizes tell files apart: no two are the same. */
function entriesOf(layers: readonly (readonly { readonly kind: string; readonly path: string; readonly target: string }[])[]): readonly (readonly PackEntry[])[] {
  let size = 0;
  return layers.map((items) =>
    items.map(({ kind, path, target }): PackEntry => {
      const [above, name] = path.includes('/') ? [path.slice(0, path.lastIndexOf('/') + 1), path.slice(path.lastIndexOf('/') + 1)] : ['', path];
      if (kind === 'whiteout') return file(`${above}.wh.${name}`, '');
      if (kind === 'opaque') return file(`${path}/.wh..wh..opq`, '');
      if (kind === 'directory') return dir(`${path}/`);
      if (kind === 'symlink') return link(path, 'somewhere');
      if (kind === 'hardlink') return hard(path, target);
      size += 1;
      return file(path, 'x'.repeat(size));
    }),
  );
}

const comparable = (found: Lookup<LayeredEntry>) => (found.kind === 'found' ? { ...found, entry: { ...found.entry, read: undefined } } : found);

/** Looks every path up, in streams and in tars at rest; how many were found. */
async function sameAsInTree(tree: MergedTree, streamed: readonly LayerView[], atRest: readonly LayerView[]): Promise<number> {
  let found = 0;
  for (const path of paths) {
    const expected = findInTree(tree, path);
    const actual = await findInLayers(streamed, path);
    expect(comparable(await findInLayers(atRest, path))).toEqual(comparable(actual));
    expect(actual.kind, path).toBe(expected.kind);
    if (actual.kind === 'blocked' && expected.kind === 'blocked') expect({ path: actual.path, type: actual.type }).toEqual({ path: expected.path, type: expected.type });
    if (actual.kind !== 'found' || expected.kind !== 'found') continue;
    found += 1;
    const { type, size } = actual.entry ?? { type: 'directory', size: 0 };
    expect({ type, size }, path).toEqual({ type: expected.entry?.type, size: expected.entry?.size });
    if (actual.entry?.type === 'file') expect((await collect(actual.entry.read(), 1 << 20, path)).length).toBe(size);
  }
  return found;
}

describe('finding paths layer by layer', () => {
  it('finds what the merged tree has, for any layers and any path', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uniqueArray(entry, { maxLength: 6, selector: ({ kind, path }) => `${kind} ${path}` }), { minLength: 1, maxLength: 4 }), async (random) => {
        const layers = await Promise.all(entriesOf(random).map(tarOf));
        const tree = await readTree(layers.map((bytes) => ({ read: async function* () { yield bytes; } }))).catch((error: unknown) => {
          // What the image-spec forbids (a path twice, a link to nothing) has no tree.
          if (isOciTarError(error, 'INVALID_TAR')) return undefined;
          throw error;
        });
        fc.pre(tree !== undefined);
        const { views } = viewsOf(...layers);
        const atRest = layers.map((bytes) => seekableTarView(async () => bytesSource(bytes)));
        found += await sameAsInTree(tree, views, atRest);
      }),
      { numRuns: 300 },
    );
    expect(found).toBeGreaterThan(100);
  });

  it('takes the last of several entries of one path, as the merged tree does, where it is told to', async () => {
    let found = 0;
    let twice = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(entry, { maxLength: 8 }), { minLength: 1, maxLength: 3 }), async (random) => {
        const layers = await Promise.all(entriesOf(random).map(tarOf));
        const inputs = layers.map((bytes) => ({ read: async function* () { yield bytes; } }));
        const tree = await readTree(inputs, { duplicates: 'last' }).catch((error: unknown) => {
          // A link to nothing has no tree.
          if (isOciTarError(error, 'INVALID_TAR')) return undefined;
          throw error;
        });
        fc.pre(tree !== undefined);
        twice += await readTree(inputs).then(() => 0, () => 1);
        const streamed = layers.map((bytes) => tarLayerView(async function* () { yield bytes; }, { last: true }));
        const atRest = layers.map((bytes) => seekableTarView(async () => bytesSource(bytes), { last: true }));
        found += await sameAsInTree(tree, streamed, atRest);
      }),
      {
        numRuns: 300,
        examples: [
          // A link in what it links to: the directory that it needs takes the file's place first.
          [[[{ kind: 'file', path: 'b/c', target: '' }, { kind: 'hardlink', path: 'b/c/d', target: 'b/c' }], [{ kind: 'file', path: 'b/c', target: '' }]]],
        ],
      },
    );
    expect(found).toBeGreaterThan(100);
    expect(twice).toBeGreaterThan(50);
  });

  it('opens no layer below the one that decides, and reads no further than it must', async () => {
    const big = file('big', 'x'.repeat(4 << 20));
    const top = await tarOf([file('etc/motd', 'top'), big]);
    const low = await tarOf([file('etc/motd', 'low'), file('low', 'low'), big]);
    const { views, read } = viewsOf(top, low);
    expect(await findInLayers(views, 'etc/motd')).toMatchObject({ kind: 'found', entry: { layer: 0 } });
    expect(read).toEqual([65_536, 0]);
    expect(await findInLayers(views, 'low')).toMatchObject({ kind: 'found', entry: { layer: 1 } });
    expect(read[1]).toBe(65_536);
    const removed = viewsOf(await tarOf([file('.wh.low', ''), dir('gone/'), file('gone/.wh..wh..opq', '')]), low);
    expect(await findInLayers(removed.views, 'low')).toMatchObject({ kind: 'missing' });
    expect(await findInLayers(removed.views, 'gone/deep/file')).toMatchObject({ kind: 'missing', path: 'gone' });
    expect(removed.read[1]).toBe(0);
  });

  it('reads only headers of a tar at rest, and the body of what is found', async () => {
    const big = 4 << 20;
    const source = new CountingSource(await tarOf([file('a', 'x'.repeat(big)), file('b', 'found'), file('c', 'x'.repeat(big))]));
    const view = seekableTarView(async () => source);
    const { entry: found } = await view.lookup('b');
    if (found === undefined) throw new Error('not found');
    expect(text(await collect(found.read(), 10, 'b'))).toBe('found');
    expect((await view.lookup('none')).entry).toBeUndefined();
    const read = source.reads.reduce((sum, [start, end]) => sum + end - start, 0);
    expect(read).toBeLessThan(64 * 1024);
    for (const cut of [600, 1000, big]) await expect(seekableTarView(async () => bytesSource((await tarOf([file('a', 'x'.repeat(big))])).subarray(0, cut))).lookup('b')).rejects.toMatchObject({ code: 'INVALID_TAR' });
    for (const zeros of [0, 100, 512, 700, 4096]) expect((await seekableTarView(async () => bytesSource(new Uint8Array(zeros))).lookup('b')).entry).toBeUndefined();
  });

  it('gives the bytes of the entry that was found last', async () => {
    const { views } = viewsOf(await tarOf([file('a', 'one'), file('b', 'two')]));
    const first = await findInLayers(views, 'a');
    const second = await findInLayers(views, 'b');
    if (first.kind !== 'found' || second.kind !== 'found' || second.entry === undefined) throw new Error('not found');
    expect(text(await collect(second.entry.read(), 10, 'b'))).toBe('two');
  });
});

describe('a path in an image', () => {
  const base = [dir('usr/'), dir('usr/bin/'), file('usr/bin/tool', 'tool'), link('bin', 'usr/bin'), link('usr/bin/awk', '/etc/alternatives/awk'), link('etc/alternatives/awk', '/usr/bin/mawk'), file('usr/bin/mawk', 'mawk'), link('up', '../../../usr/./bin/../bin//tool')];

  it('is followed as in a chroot', async () => {
    expect(await cat('/bin/tool', base)).toBe('tool');
    expect(await cat('bin/awk', base)).toBe('mawk');
    expect(await cat('up', base)).toBe('tool');
    expect(await cat('../../usr/bin/../bin/tool', base)).toBe('tool');
    expect(await cat('/bin/../bin/tool', base)).toBe('tool');
    // `..` of where a link led, not of where it lies.
    expect(await cat('bin/../bin/tool', [link('usr/bin/deep', '/')], base)).toBe('tool');
  });

  it('leads to what a higher layer has put in its way', async () => {
    expect(await cat('bin/tool', [file('usr/bin/tool', 'new')], base)).toBe('new');
    // A directory in the place of the link.
    expect(await cat('bin/tool', [file('bin/tool', 'other')], base)).toBe('other');
    await expect(cat('bin/mawk', [file('bin/tool', 'other')], base)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('goes through 40 symlinks and no more', async () => {
    const chain = (length: number) => [file('end', 'end'), ...Array.from({ length }, (_, at) => link(`l${at}`, at === 0 ? 'end' : `l${at - 1}`))];
    expect(await cat('l39', chain(40))).toBe('end');
    await expect(cat('l40', chain(41))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 40 } });
    await expect(cat('a', [link('a', 'b'), link('b', 'a')])).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await expect(cat('a', [link('a', 'a/a')])).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('of more parts or longer links than any system takes is given up', async () => {
    const deep = 'x/'.repeat(1025);
    await expect(cat(deep, [file('x')])).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 1024 } });
    await expect(cat('l', [link('l', 'x/'.repeat(1025))])).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 1024 } });
    for (const path of ['l', 'l/below']) await expect(cat(path, [link('l', 'x'.repeat(100_000))])).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 4096 } });
  });

  it('says what is near where it leads nowhere, and what is in its way', async () => {
    const at = (path: string) => cat(path, [file('etc/passwd'), file('etc/group'), link('lost', 'etc/nothing')]).catch((error: unknown) => error);
    expect(await at('etc/paswd')).toMatchObject({ code: 'NOT_FOUND', message: 'there is no "/etc/paswd" in the image', hint: 'Did you mean /etc/passwd?' });
    expect(await at('ect/passwd')).toMatchObject({ code: 'NOT_FOUND', hint: 'Did you mean /etc?' });
    expect(await at('lost')).toMatchObject({ code: 'NOT_FOUND', message: 'there is no "/etc/nothing" in the image, which "lost" leads to' });
    expect(await at('etc/group/x')).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('"/etc/group" is no directory') as string });
    expect(await at('zzz')).not.toHaveProperty('details.hint');
    // What is taken away is not near.
    await expect(cat('etc/paswd', [file('etc/.wh.passwd', '')], [file('etc/passwd')])).rejects.not.toHaveProperty('details.hint');
  });

  it('with a NUL in it is refused', async () => {
    await expect(cat('a\0b', [file('a')])).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('a hardlink', () => {
  it('is the file that it links to, in its layer, in one below, and through another link', async () => {
    expect(await cat('b', [file('a', 'one'), hard('b', './a')])).toBe('one');
    expect(await cat('c', [file('a', 'one'), hard('b', 'a'), hard('c', '/b')])).toBe('one');
    expect(await cat('b', [hard('b', 'a')], [file('x', 'x')], [file('a', 'low')])).toBe('low');
    // Later in the layer does not count: it links to what was there before.
    expect(await cat('b', [hard('b', 'a'), file('a', 'new')], [file('a', 'old')])).toBe('old');
    expect(await cat('b', [file('.wh.a', '')], [hard('b', 'a')], [file('a', 'low')])).toBe('low');
    expect(await cat('b', [file('.wh..wh.plnk/1.2', 'inode'), hard('b', '.wh..wh.plnk/1.2')])).toBe('inode');
  });

  it('to a symlink leads where that leads from its own place', async () => {
    expect(await cat('d/b', [link('a', 'file'), file('file', 'wrong'), file('d/file', 'right'), hard('d/b', 'a')])).toBe('right');
  });

  it('at the end of a long chain is given up', async () => {
    const chain = [file('l0', 'x'), ...Array.from({ length: 50 }, (_, at) => hard(`l${at + 1}`, `l${at}`))];
    await expect(cat('l50', chain)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('a sparse file', () => {
  it('comes with its holes', async () => {
    const pax = rawPax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'holes', 'GNU.sparse.realsize': '1000' });
    const map = Buffer.alloc(512);
    map.write('1\n990\n10\n');
    const layer = join(rawEntry({ name: 'x', typeflag: 'x' }, pax), rawEntry({ name: 'GNUSparseFile.0/holes' }, Buffer.concat([map, Buffer.from('0123456789')])), new Uint8Array(1024));
    const { views } = viewsOf(layer);
    const found = await findInLayers(views, 'holes');
    if (found.kind !== 'found' || found.entry === undefined) throw new Error('not found');
    expect(found.entry.size).toBe(1000);
    expect(text(await collect(found.entry.read(), 2000, 'holes'))).toBe(`${'\0'.repeat(990)}0123456789`);
  });
});

describe('names that are near', () => {
  it('differ in few letters, or go on where the other ends', () => {
    const names = ['passwd', 'passwd-', 'group', 'hosts', 'hostname'];
    expect(nearNames('paswd', names)).toEqual(['passwd']);
    expect(nearNames('host', names)).toEqual(['hosts', 'hostname']);
    expect(nearNames('x', names)).toEqual([]);
  });
});
