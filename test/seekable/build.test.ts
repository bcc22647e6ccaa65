import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { cleanName } from '../../packages/core/src/seekable/clean-name.ts';
import { externalTocCompressor, externalTocDecompressor } from '../../packages/core/src/seekable/formats/external-toc.ts';
import { buildSeekable } from '../../packages/core/src/seekable/build.ts';
import type { BuildOptions } from '../../packages/core/src/seekable/build.ts';
import { unpackSeekable } from '../../packages/core/src/seekable/unpack.ts';
import { verifyContent } from '../../packages/core/src/seekable/verify.ts';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { compressWithCodec } from './compressed.ts';
import { prose } from '../compression/streams.ts';
import { endMarker, join, rawEntry, rawHeader, rawPax } from '../tar/raw.ts';
import { gather, inRuns, list } from '../tar/streams.ts';
import { built, contentOf, directory, file, hardlink, members, opened, symlink, tarOf, trees } from './support.ts';
import fc from '../support/fast-check.ts';

/** Text in which a longer search finds more. */
const contents = prose(300_000);
const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const namesOf = async (blob: Uint8Array): Promise<string[]> => (await list(entries(unpackSeekable(bytesSource(blob))))).map(({ path }) => path);

const shapes = fc.record({
  chunkSize: fc.constantFrom(1, 100, 1000, 4096, 4 * 1024 * 1024),
  minChunkSize: fc.constantFrom(0, 0, 200, 5000),
  lossless: fc.boolean(),
});

describe('a layer that was built', () => {
  it('has every file of any tree, verified, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(trees, shapes, async (tree, shape) => {
        // One byte a chunk makes a member for each byte.
        const small = shape.chunkSize > 1 ? tree : tree.filter(({ size = 0 }) => size < 100 && tree.every(({ type }) => type !== 'hardlink'));
        const { blob, report } = await built(await tarOf(...small), shape);
        const layer = await opened(blob);
        layer.verifyToc(report.tocDigest);
        await verifyContent(layer);
        for (const entry of small) {
          const found = layer.entry(entry.path);
          expect(found?.toc?.name).toBe(entry.path);
          const stat = found?.stat();
          if (entry.type !== 'hardlink') expect(stat).toMatchObject({ mode: entry.mode, uid: entry.uid, userName: entry.uname, mtime: entry.mtime });
          if (entry.type === 'file') expect(await contentOf(layer, entry.path)).toEqual(entry.data);
          if (entry.type === 'hardlink') expect(layer.lookup(entry.path)).toBe(layer.lookup(entry.linkname ?? ''));
          if (entry.type !== 'hardlink') expect(stat?.xattrs.get('user.x')).toEqual(entry.pax?.get('SCHILY.xattr.user.x'));
        }
        const landmarks = shape.lossless ? 0 : 1;
        expect(report.toc.entries.filter(({ type }) => type !== 'chunk')).toHaveLength(small.length + landmarks);
      }),
      { numRuns: 60 },
    );
  });

  it('says what it is: digest, size, diffID and the annotations of its descriptor', async () => {
    const { blob, report } = await built(await tarOf(file('a', 'hello'), directory('d/')), { chunkSize: 2 });
    const plain = gunzipSync(blob);
    expect(report).toMatchObject({ digest: sha256(blob), size: blob.length, diffID: sha256(plain), tarSize: plain.length, suffix: '+gzip' });
    expect(report.annotations).toEqual({
      'containerd.io/snapshot/stargz/toc.digest': report.tocDigest,
      'io.containers.estargz.uncompressed-size': String(plain.length),
    });
    expect(report.tocDigest).toBe((await opened(blob)).tocDigest);
  });

  it('unpacks to every byte of any tar that was built losslessly', async () => {
    const tail = fc.constantFrom(endMarker, new Uint8Array(0), new Uint8Array(10240), join(endMarker, new Uint8Array([1, 2, 3])));
    await fc.assert(
      fc.asyncProperty(trees, tail, shapes, async (tree, end, shape) => {
        const tar = join((await tarOf(...tree)).slice(0, -1024), end);
        const { blob } = await built(tar, { ...shape, chunkSize: Math.max(100, shape.chunkSize), lossless: true });
        expect(Buffer.compare(await gather(unpackSeekable(bytesSource(blob))), tar)).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('unpacks to a whole tar of the same entries where it was not', async () => {
    const { blob } = await built(await tarOf(directory('./'), file('./a', 'x'), symlink('./b', 'a')));
    expect(await namesOf(blob)).toEqual(['.no.prefetch.landmark', './', './a', './b']);
    // The marker is before the TOC, so that no reader takes the TOC for a file of the layer.
    expect((await list(entries(inRuns(gunzipSync(blob))))).map(({ path }) => path)).not.toContain('stargz.index.json');
  });

  it('is the same, byte for byte, whatever the number of cores and the runs of the input', async () => {
    const tar = await tarOf(...Array.from({ length: 60 }, (_, at) => file(`f${at}`, Buffer.alloc(at * 997, `${at}-`))));
    for (const shape of [{}, { minChunkSize: 300 }, { lossless: true }]) {
      const blobs = await Promise.all([
        built(tar, { ...shape, parallelism: 1 }),
        built(tar, { ...shape, parallelism: 2 }),
        built(tar, { ...shape, parallelism: 4 }),
        built({ size: tar.length, read: (start, end) => inRuns(tar.subarray(start, end), [700, 3]) }, shape),
      ]);
      expect(new Set(blobs.map(({ report }) => report.digest)).size).toBe(1);
    }
  });

  it('is made of gzip and zstd as of plain tar, from a stream as from a source', async () => {
    const tar = await tarOf(file('a', 'hello'), file('b', 'world'));
    const plain = await built(tar, { prioritizedFiles: ['b'] });
    const inputs = [new Uint8Array(gzipSync(tar)), await compressWithCodec('zstd', tar), tar];
    for (const input of inputs) {
      expect((await built(input, { prioritizedFiles: ['b'] })).report.digest).toBe(plain.report.digest);
      const streamed = buildSeekable(inRuns(input), { level: 1, prioritizedFiles: ['b'] });
      expect(Buffer.compare(await gather(streamed.blob), plain.blob)).toBe(0);
      const ofNode = buildSeekable(Readable.from([Buffer.from(input)]), { level: 1, prioritizedFiles: ['b'] });
      expect(Buffer.compare(await gather(ofNode.blob), plain.blob)).toBe(0);
    }
  });
});

describe('the members of a layer', () => {
  it('start at each chunk; padding and the next headers stay in the last chunk’s', async () => {
    const tar = await tarOf(file('a', '0123456789'), directory('d/'), file('empty', ''), file('b', 'xy'));
    const { blob, report } = await built(tar, { chunkSize: 4, lossless: true });
    const found = members(blob);
    // The header of `a`; its chunks, the last one with its padding and the headers up to `b`; `b` with the end of the archive.
    expect(found.slice(0, 5).map(({ bytes }) => bytes.length)).toEqual([512, 4, 4, 2 + 502 + 3 * 512, 2 + 510 + 1024]);
    expect(found.slice(5).map(({ bytes }) => bytes.subarray(0, 18).toString())).toEqual(['stargz.index.json\0', '']);
    const offsets = found.map(({ offset }) => offset);
    expect(report.toc.entries.map(({ name, offset, chunkSize, chunkOffset }) => [name, offset, chunkSize, chunkOffset])).toEqual([
      ['a', offsets[1], 4, undefined],
      ['a', offsets[2], 4, 4],
      ['a', offsets[3], undefined, 8],
      ['d/', undefined, undefined, undefined],
      ['empty', undefined, undefined, undefined],
      ['b', offsets[4], undefined, undefined],
    ]);
  });

  it('name a chunk’s size where it is full, the last one included', async () => {
    const { report } = await built(await tarOf(file('a', '01234567'), file('b', '0123')), { chunkSize: 4, lossless: true });
    expect(report.toc.entries.map(({ chunkSize }) => chunkSize)).toEqual([4, 4, 4]);
  });

  it('have at least the least size, but for the last of 4 MiB', async () => {
    const random = (length: number, seed: number) => createHash('sha256').update(String(seed)).digest('hex').repeat(Math.ceil(length / 64)).slice(0, length);
    const tar = await tarOf(...Array.from({ length: 300 }, (_, at) => file(`f${at}`, random(at * 3 + 1, at))));
    const { blob, report } = await built(tar, { minChunkSize: 1000, lossless: true });
    const layer = await opened(blob);
    await verifyContent(layer);
    const starts = [...new Set(layer.chunks.map(({ offset }) => offset))];
    expect(starts.length).toBeGreaterThan(5);
    expect(starts.length).toBeLessThan(100);
    for (const [at, start] of starts.slice(0, -1).entries()) expect((starts[at + 1] ?? 0) - start).toBeGreaterThanOrEqual(1000);
    expect(report.toc.entries[0]).toMatchObject({ innerOffset: 512, offset: 0 });
    expect(report.size).toBeLessThan((await built(tar, { lossless: true })).report.size);
  });

  it('start anew at a landmark, where several files share them', async () => {
    const { blob } = await built(await tarOf(file('a', 'x'), file('b', 'y')), { minChunkSize: 5000, prioritizedFiles: ['b'] });
    const layer = await opened(blob);
    expect(layer.chunks.map(({ entry, innerOffset }) => [entry.path, innerOffset])).toEqual([['b', 512], ['.prefetch.landmark', 0], ['a', 1024]]);
  });

  it('are cut where headers go on for megabytes', async () => {
    const headers = Array.from({ length: 17_000 }, (_, at) => rawHeader({ name: `d${at}`, typeflag: '5' }));
    const { blob } = await built(join(...headers, endMarker), { lossless: true });
    const { tocOffset = 0 } = (await opened(blob)).parts;
    expect(members(blob.subarray(0, tocOffset)).map(({ bytes }) => bytes.length)).toEqual([8 * 1024 * 1024, 17_000 * 512 + 1024 - 8 * 1024 * 1024]);
  });
});

describe('the order of a layer', () => {
  it('has prioritized files first, after what they need, then the landmark, then the rest', async () => {
    const tar = await tarOf(directory('./'), directory('./x/'), file('./x/one', '1'), file('./two', '2'), directory('./y/'), hardlink('./y/link', 'x/one'), file('./three', '3'));
    const { blob } = await built(tar, { prioritizedFiles: ['/y/link', '../three', 'three'] });
    expect(await namesOf(blob)).toEqual(['./', './y/', './x/', './x/one', './y/link', './three', '.prefetch.landmark', './two']);
  });

  it('keeps the later of two entries with one name, and drops landmarks and TOCs of an earlier build', async () => {
    const tar = await tarOf(file('a', 'old'), file('.prefetch.landmark', 'x'), file('b', 'b'), file('./a', 'new'), file('/stargz.index.json', '{}'), file('s/stargz.index.json', '{}'));
    const { blob } = await built(tar);
    expect(await namesOf(blob)).toEqual(['.no.prefetch.landmark', 'b', './a', 's/stargz.index.json']);
    expect(Buffer.from(await contentOf(await opened(blob), 'a')).toString()).toBe('new');
  });

  it('applies global headers to the entries after them, wherever those go', async () => {
    const global = rawEntry({ name: 'g', typeflag: 'g' }, rawPax({ uname: 'everyone', 'SCHILY.xattr.user.g': 'v' }));
    const tar = join(rawEntry({ name: 'a', uid: 7 }, '1'), global, rawEntry({ name: 'b' }, '2'), rawEntry({ name: 'c' }, '3'), endMarker);
    const layer = await opened((await built(tar, { prioritizedFiles: ['c'] })).blob);
    expect(['a', 'b', 'c'].map((path) => [layer.lookup(path)?.userName, layer.lookup(path)?.toc?.xattrs?.size])).toEqual([['', undefined], ['everyone', 1], ['everyone', 1]]);
  });

  it('is refused where a prioritized file is missing, or tells of it', async () => {
    const tar = await tarOf(file('a', ''));
    await expect(built(tar, { prioritizedFiles: ['a', './nope'] })).rejects.toMatchObject({ code: 'NOT_FOUND', details: { subject: './nope' } });
    const { report } = await built(tar, { prioritizedFiles: ['a', './nope'], missingPrioritized: 'report' });
    expect(report.missingPrioritized).toEqual(['./nope']);
  });
});

describe('what cannot be in a TOC', () => {
  const sparse = rawEntry({ name: 'x', typeflag: 'x' }, rawPax({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's', 'GNU.sparse.realsize': '9' }));
  it.each([
    ['an entry of some vendor', rawEntry({ name: 'v', typeflag: 'V' }, '')],
    ['a sparse file', join(sparse, rawEntry({ name: 'f' }, 'x'))],
    ['a time after the year 9999', rawHeader({ name: 'f', mtime: Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0) })],
    ['a name that is not UTF-8', rawHeader({ name: Uint8Array.of(0x63, 0xe9) })],
  ])('is refused: %s', async (_, entry) => {
    for (const lossless of [true, false]) await expect(built(join(entry, endMarker), { lossless })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('is let in where names may be replaced, unless two of them become one', async () => {
    const latin = (byte: number) => rawEntry({ name: Uint8Array.of(0x63, byte) }, 'x');
    const { blob } = await built(join(latin(0xe9), endMarker), { invalidNames: 'replace' });
    expect((await opened(blob)).lookup('c\ufffd')?.size).toBe(1);
    await expect(built(join(latin(0xe9), latin(0xe8), endMarker), { invalidNames: 'replace' })).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });

  it.each([
    ['a hardlink to nothing', [hardlink('a', 'b')]],
    ['hardlinks in a circle', [hardlink('a', 'b'), hardlink('b', 'a')]],
    ['a file with a file in it', [file('a', 'x'), file('a/b', 'y')]],
  ])('is refused: %s', async (_, tree) => {
    await expect(built(await tarOf(...tree))).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });

  it('is compressed at level 6 where none is named', async () => {
    const tar = await tarOf(file('a', contents));
    const at = async (options: BuildOptions) => (await gather(buildSeekable(bytesSource(tar), options).blob)).length;
    const usual = await at({});
    expect(usual).toBe(await at({ level: 6 }));
    expect(usual).toBeLessThan(await at({ level: 5 }));
    expect(usual).toBeGreaterThan(await at({ level: 7 }));
  });

  it('is refused in a lossless layer where the TOC would follow half an end marker, and kept where it would not', async () => {
    const tar = (await tarOf(file('a', 'content'))).subarray(0, -512);
    await expect(built(tar, { lossless: true })).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('one block of zeros') as string });
    const outside = buildSeekable(bytesSource(tar), { compressor: externalTocCompressor({ level: 1 }), lossless: true });
    await gather(outside.blob);
    expect(outside.report().diffID).toBe(sha256(tar));
    expect((await built(tar)).report.tarSize).toBeGreaterThan(tar.length);
  });

  it('is refused in a lossless layer: a TOC, a name twice', async () => {
    await expect(built(await tarOf(file('./stargz.index.json', '')), { lossless: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(built(await tarOf(file('a', ''), file('./a', '')), { lossless: true })).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });
});

describe('a build', () => {
  it('has no report before its end', async () => {
    const build = buildSeekable(bytesSource(await tarOf()), {});
    expect(() => build.report()).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    await gather(build.blob);
    expect(build.report().toc.entries.map(({ name }) => name)).toEqual(['.no.prefetch.landmark']);
  });

  it('makes a layer of nothing at all', async () => {
    const { blob, report } = await built(new Uint8Array(0), { lossless: true });
    expect(report.toc.entries).toEqual([]);
    expect((await opened(blob)).parts.tocOffset).toBe(0);
    expect(await gather(unpackSeekable(bytesSource(blob)))).toHaveLength(0);
  });

  it.each([
    { chunkSize: 0 },
    { chunkSize: 65 * 1024 * 1024 },
    { minChunkSize: -1 },
    { parallelism: 0 },
    { level: 10 },
    { level: 6, compressor: externalTocCompressor() },
    { lossless: true, prioritizedFiles: ['a'] },
  ])('refuses %j', (options) => {
    expect(() => buildSeekable(bytesSource(new Uint8Array(0)), options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('ends with the reason of an abort', async () => {
    const reason = new Error('enough');
    const controller = new AbortController();
    const build = buildSeekable(bytesSource(await tarOf(...Array.from({ length: 50 }, (_, at) => file(`f${at}`, new Uint8Array(70_000))))), { signal: controller.signal });
    const iterator = build.blob[Symbol.asyncIterator]();
    controller.abort(reason);
    await expect(iterator.next()).rejects.toBe(reason);
  });

  it('refuses a tar that stops inside of a file', async () => {
    const tar = (await tarOf(file('a', 'x'.repeat(600)))).slice(0, 1000);
    for (const lossless of [true, false]) await expect(built(tar, { lossless })).rejects.toMatchObject({ code: 'INVALID_TAR' });
  });

  it('stops where a compressed input gets too large', async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(2 ** 20)));
    for (const lossless of [true, false]) await expect(built(bomb, { lossless, inputLimit: 1000 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('a TOC that is kept elsewhere', () => {
  it('leaves a lossless layer its diffID', async () => {
    const tar = await tarOf(file('a', 'hello'));
    const build = buildSeekable(bytesSource(tar), { compressor: externalTocCompressor({ level: 1 }), lossless: true });
    const blob = await gather(build.blob);
    const report = build.report();
    expect(report.diffID).toBe(sha256(tar));
    expect(new Uint8Array(gunzipSync(blob))).toEqual(tar);
    const toc = bytesSource(report.externalToc ?? new Uint8Array(0));
    const layer = await opened(blob, { decompressors: [externalTocDecompressor(toc)] });
    layer.verifyToc(report.tocDigest);
    expect(Buffer.from(await contentOf(layer, 'a')).toString()).toBe('hello');
    await expect(opened(blob)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

it('cleans names as the readers do', () => {
  const names = { a: 'a', './a': 'a', '/a': 'a', '../a': 'a', 'a/b/..': 'a', '': '', '.': '', '/': '', './': '', 'a//b/': 'a/b', '..a': '..a', '.a/b.': '.a/b.', 'a/../../b': 'b' };
  expect(Object.keys(names).map(cleanName)).toEqual(Object.values(names));
});
