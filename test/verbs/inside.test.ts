import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { codecByName, collect, describeLayers, diffImages, listFiles, mergedTar, openImage, readFile, unpackImage } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { memoryStore } from '../support/images.ts';
import { addLayered, compressedBy, directory, file, hardlink, opaque, symlink, tarOf, whiteout } from '../support/layers.ts';
import { faulty } from '../support/multi.ts';
import { join, rawEntry } from '../tar/raw.ts';

const name = 'docker.io/library/app:1';
const other = 'docker.io/library/app:2';

/** The same place, with a count of the bytes that were read of each blob. */
function counting(store: ImageStore): { readonly store: ImageStore; readonly read: Map<string, number> } {
  const read = new Map<string, number>();
  return {
    read,
    store: {
      name: store.name,
      images: () => store.images(),
      resolve: (reference) => store.resolve(reference),
      close: () => store.close(),
      async open(blob) {
        const source = await store.open(blob);
        return {
          size: source.size,
          async *read(start = 0, end = source.size) {
            for (let at = start; at < end; at += 4096) {
              for await (const run of source.read(at, Math.min(end, at + 4096))) {
                read.set(blob.digest, (read.get(blob.digest) ?? 0) + run.length);
                yield run;
              }
            }
          },
        };
      },
    },
  };
}

/** Bytes that no compressor makes smaller. */
function noise(length: number, seed = 1): string {
  let state = seed;
  return Buffer.from(Array.from({ length }, () => ((state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) >> 16) & 127)).toString('latin1');
}

async function text(store: ImageStore, path: string, more: object = {}): Promise<string> {
  const found = await readFile({ source: store, reference: name, path, ...more });
  return Buffer.from(await collect(found.read(), 1 << 26, path)).toString();
}

describe('readFile', () => {
  it.each(['gzip', 'zstd', 'none'] as const)('reads no further in a layer of %s than it must, where nothing is to be verified', async (compress) => {
    const inner = memoryStore();
    const big = file('z-big', noise(2 << 20));
    const { layers } = await addLayered(inner, { name, compress, layers: [[file('base', 'base'), big], [file('a-small', 'small'), big]] });
    const [base = '', top = ''] = layers.map(({ digest }) => digest);
    const { store, read } = counting(inner);
    expect(await text(store, 'a-small', { verify: false })).toBe('small');
    // What a codec takes at once: 64 KiB, of zstd a block and the next one.
    expect(read.get(top)).toBeLessThanOrEqual(384 * 1024);
    expect(read.has(base)).toBe(false);
    read.clear();
    expect(await text(store, 'base', { verify: false })).toBe('base');
    expect(read.get(base)).toBeLessThanOrEqual(384 * 1024);
  });

  it('hashes a layer once before it searches it, and opens none below the one that has the file', async () => {
    const inner = memoryStore();
    const { layers } = await addLayered(inner, { name, compress: 'none', layers: [[file('base', noise(1 << 20))], [file('top', 'x'), symlink('to-base', 'base')], [file('.wh.gone', ''), file('z', noise(1 << 20))]] });
    const { store, read } = counting(inner);
    expect(await text(store, 'top')).toBe('x');
    const [base, middle, top] = layers;
    expect(read.get(base?.digest ?? '')).toBeUndefined();
    // Hashed to its end; then headers are looked at, since nothing is compressed.
    const headers = 64 * 1024;
    expect((read.get(top?.digest ?? '') ?? 0) - (top?.size ?? 0)).toBeLessThan(headers);
    expect((read.get(middle?.digest ?? '') ?? 0) - (middle?.size ?? 0)).toBeLessThan(headers);
    read.clear();
    await expect(text(store, 'gone')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect([...read.keys()].filter((digest) => digest === base?.digest || digest === middle?.digest)).toEqual([]);
    read.clear();
    expect((await text(store, 'to-base')).length).toBe(1 << 20);
    // One hash, whatever the number of searches.
    expect((read.get(top?.digest ?? '') ?? 0) - (top?.size ?? 0)).toBeLessThan(2 * headers);
  });

  it('verifies a compressed layer by its first search, so that it is read twice for a link and for its target', async () => {
    const inner = memoryStore();
    const { layers } = await addLayered(inner, { name, layers: [[file('base', 'base'), symlink('to-base', 'base')], [file('z', noise(1 << 20))]] });
    const { store, read } = counting(inner);
    expect(await text(store, 'to-base')).toBe('base');
    expect(read.get(layers[1]?.digest ?? '')).toBe(2 * (layers[1]?.size ?? 0));
  });

  it.each(['gzip', 'none'] as const)('takes the last of what a layer of %s has twice, as the tree and a comparison do; the first where nothing is to be verified', async (compress) => {
    const store = memoryStore();
    await addLayered(store, { name, compress, layers: [[file('f', 'base')], [file('f', 'one'), file('d/gone'), file('f', 'second'), hardlink('h', 'f'), file('d', 'now a file'), file('f', 'the last')]] });
    await addLayered(store, { name: other, compress, layers: [[file('f', 'base')], [file('d', 'now a file'), file('f', 'the last'), file('h', 'second')]] });
    expect(await Promise.all(['f', 'h', 'd'].map((path) => text(store, path)))).toEqual(['the last', 'second', 'now a file']);
    await expect(text(store, 'd/gone')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await text(store, 'f', { verify: false })).toBe('one');
    expect((await listFiles({ source: store, reference: name })).nodes.map(({ path, type, size }) => [path, type, size])).toEqual([['d', 'file', 10], ['f', 'file', 8], ['h', 'file', 6]]);
    expect((await diffImages({ before: { source: store, reference: name }, after: { source: store, reference: other } })).changes).toEqual([]);
    expect((await describeLayers({ source: store, reference: name })).layers[1]?.effect).toMatchObject({ entries: 6, visible: 3 });
  });

  it('checks the plain tar, too, and not only the blob', async () => {
    const store = memoryStore();
    await addLayered(store, { name, layers: [[file('a')]], config: { rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } } });
    await expect(text(store, 'a')).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(await text(store, 'a', { verify: false })).toBe('a');
  });

  it('tells damage before the first byte, wherever in the layer it is', async () => {
    const inner = memoryStore();
    const { layers } = await addLayered(inner, { name, compress: 'none', layers: [[file('first', 'first'), file('last', 'last')]] });
    const store = faulty(inner, { damaged: layers.map(({ digest }) => digest) });
    await expect(readFile({ source: store, reference: name, path: 'first' })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(readFile({ source: faulty(inner, { absent: layers.map(({ digest }) => digest) }), reference: name, path: 'first' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('finds a hardlink to a file of a lower layer that is taken away since', async () => {
    const store = memoryStore();
    await addLayered(store, { name, layers: [[file('a', 'inode')], [hardlink('b', 'a')], [whiteout('a')]] });
    expect(await text(store, 'b')).toBe('inode');
    await expect(text(store, 'a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const dangling = memoryStore();
    await addLayered(dangling, { name, layers: [[file('x')], [hardlink('b', 'a')]] });
    await expect(text(dangling, 'b')).rejects.toMatchObject({ code: 'INVALID_TAR', message: expect.stringContaining('"/b" is a hardlink to "/a"') as string });
  });

  it('stops with the reason of an abort', async () => {
    const store = memoryStore();
    await addLayered(store, { name, layers: [[file('a')]] });
    await expect(readFile({ source: store, path: 'a', signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });

  it('reads a layer whose member is an empty stream, and one of zeros only', async () => {
    const store = memoryStore();
    await addLayered(store, { name, layers: [[file('a', 'found')], new Uint8Array(0), new Uint8Array(700)] });
    expect(await text(store, 'a')).toBe('found');
    expect((await listFiles({ source: store })).nodes.map(({ path }) => path)).toEqual(['a']);
  });
});

describe('a layer whose first name looks like a compressed stream', () => {
  it.each([['gzip', [0x1f, 0x8b, 8, 0]], ['zstd', [0x28, 0xb5, 0x2f, 0xfd]]] as const)('of %s is the plain tar that it is', async (_, magic) => {
    const store = memoryStore();
    const tar = join(rawEntry({ name: Uint8Array.from(magic), size: 3 }, 'abc'), new Uint8Array(1024));
    await addLayered(store, { name, layers: [[file('base')], tar] });
    const request = { source: store, reference: name };
    expect((await listFiles(request)).nodes).toHaveLength(2);
    expect((await describeLayers(request)).layers.map(({ effect }) => effect?.visible)).toEqual([1, 1]);
    expect((await diffImages({ before: request, after: request })).changes).toEqual([]);
    expect(Buffer.from(await collect(mergedTar(request), 1 << 20, 'the tar')).includes('abc')).toBe(true);
    const directory = mkdtempSync(`${tmpdir()}/oci-tar-inside-`);
    onTestFinished(() => rmSync(directory, { recursive: true }));
    for (const duplicates of ['error', 'last'] as const) {
      expect(await unpackImage({ ...request, directory: `${directory}/${duplicates}`, duplicates, rootless: true })).toMatchObject({ files: 2 });
    }
  });
});

describe('openImage', () => {
  it('refuses what is no image, and too many or too few layers', async () => {
    const store = memoryStore();
    const { descriptor } = await addLayered(store, { name, layers: [[file('a')]], config: { rootfs: { type: 'layers', diff_ids: [] } } });
    await expect(openImage(store, descriptor)).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });
});

describe('listFiles', () => {
  it('numbers layers from the base, for nodes and effects alike', async () => {
    const store = memoryStore();
    await addLayered(store, { name, layers: [[file('base')], [file('middle'), whiteout('base')], [file('top')]] });
    const { tree, nodes, path } = await listFiles({ source: store });
    expect(path).toBe('');
    expect(nodes.map((node) => [node.path, node.layer])).toEqual([['middle', 1], ['top', 2]]);
    expect(tree.get('top')?.layer).toBe(2);
    expect([...tree.nodes()].map(({ layer }) => layer)).toEqual([1, 2]);
    expect(tree.layers.map(({ hides, whiteouts }) => [hides, whiteouts])).toEqual([[0, 0], [1, 1], [0, 0]]);
    expect((await describeLayers({ source: store })).layers.map(({ effect }) => effect?.visible)).toEqual([0, 1, 1]);
  });
});

describe('diffImages', () => {
  const changesOf = async (before: ImageStore, after: ImageStore, more: object = {}) => {
    const { changes, shared } = await diffImages({ before: { source: before, reference: name }, after: { source: after, reference: other }, ...more });
    return { shared, changes: changes.map((change) => `${change.kind} ${change.path}${change.kind === 'changed' ? ` ${change.parts.join('+')}` : ''}`) };
  };

  it('reads layers that both have once, and no layer at all where there are no others', async () => {
    const inner = memoryStore();
    const base = [file('a', 'aaa'), file('b', 'bbb'), file('c', 'ccc')];
    const { layers } = await addLayered(inner, { name, layers: [base, [file('a', 'AAA')]] });
    const more = await addLayered(inner, { name: other, layers: [base, [file('b', 'bbb'), file('c', 'CCC')]] });
    const { store, read } = counting(inner);
    expect(await changesOf(store, store)).toEqual({ shared: 1, changes: ['changed a content', 'changed c content'] });
    for (const { digest, size } of [...layers, ...more.layers]) expect(read.get(digest)).toBe(size);
    const same = counting(inner);
    const { changes } = await diffImages({ before: { source: same.store, reference: name }, after: { source: same.store, reference: name } });
    expect(changes).toEqual([]);
    expect(layers.filter(({ digest }) => same.read.has(digest))).toEqual([]);
  });

  it('takes a layer for the same whatever it is compressed with', async () => {
    const [one, two] = [memoryStore(), memoryStore()];
    await addLayered(one, { name, layers: [[file('a')], [file('b')]], compress: 'gzip' });
    await addLayered(two, { name: other, layers: [[file('a')], [file('b')]], compress: 'zstd' });
    expect(await changesOf(one, two)).toEqual({ shared: 2, changes: [] });
  });

  it('sees what containers see: whiteouts, opaque directories, links as the files that they are', async () => {
    const store = memoryStore();
    const base = [directory('d'), file('d/a'), file('d/b'), file('x', 'xxxx'), hardlink('y', 'x'), file('z', 'xxxx')];
    await addLayered(store, { name, layers: [base] });
    await addLayered(store, { name: other, layers: [base, [opaque('d'), file('d/b'), whiteout('y'), hardlink('y', 'z')]] });
    // y is another file now, with the same bytes.
    expect(await changesOf(store, store)).toEqual({ shared: 1, changes: ['removed d/a'] });
    await addLayered(store, { name: other, layers: [[directory('d'), file('d/a'), file('d/b'), file('x', 'xxxx'), file('y', 'xxxx'), file('z', 'xxxX')]] });
    expect(await changesOf(store, store)).toEqual({ shared: 0, changes: ['changed z content'] });
  });

  it('compares two files of shared layers that links bring together', async () => {
    const store = memoryStore();
    const base = [file('p', 'pppp'), file('q', 'qqqq')];
    await addLayered(store, { name, layers: [base, [hardlink('l', 'p')]] });
    await addLayered(store, { name: other, layers: [base, [hardlink('l', 'q')]] });
    expect(await changesOf(store, store)).toEqual({ shared: 1, changes: ['changed l content'] });
  });

  it('looks at extended attributes, owners and devices, and at times where it is told to', async () => {
    const store = memoryStore();
    const cap = (value: string) => ({ pax: new Map([['SCHILY.xattr.security.capability', Buffer.from(value)]]) });
    const device = (devminor: number) => ({ path: 'tty', type: 'character-device' as const, devmajor: 5, devminor });
    await addLayered(store, { name, layers: [[file('a', 'a', cap('1')), file('b', 'b', cap('1')), file('c', 'c', { gid: 1 }), file('t', 't', { mtime: 1 }), device(0)]] });
    await addLayered(store, { name: other, layers: [[file('a', 'a', cap('2')), file('b', 'b', cap('1')), file('c', 'c', { gid: 2 }), file('t', 't', { mtime: 2 }), device(1)]] });
    expect((await changesOf(store, store)).changes).toEqual(['changed a xattrs', 'changed c owner', 'changed tty device']);
    expect((await changesOf(store, store, { mtime: true })).changes).toContain('changed t mtime');
  });

  it('finds damage in what it reads', async () => {
    const inner = memoryStore();
    const { layers } = await addLayered(inner, { name, compress: 'none', layers: [[file('a')]] });
    await addLayered(inner, { name: other, compress: 'none', layers: [[file('b')]] });
    const store = faulty(inner, { damaged: layers.map(({ digest }) => digest) });
    await expect(changesOf(store, store)).rejects.toMatchObject({ code: expect.stringMatching(/^(DIGEST_MISMATCH|INVALID_TAR)$/) as string });
  });
});

describe('a layer whose tar is not what the config says', () => {
  it('is told by whatever reads it to its end', async () => {
    const store = memoryStore();
    const wrong = await compressedBy(codecByName('none'), await tarOf([file('a')]));
    await addLayered(store, { name, layers: [wrong], config: { rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } } });
    await expect(listFiles({ source: store })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(describeLayers({ source: store })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });
});
