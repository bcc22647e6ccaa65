import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { estargzFooter } from '../../packages/core/src/seekable/formats/estargz.ts';
import { legacyStargzDecompressor } from '../../packages/core/src/seekable/formats/legacy-stargz.ts';
import { openFooter } from '../../packages/core/src/seekable/footer.ts';
import { openSeekable } from '../../packages/core/src/seekable/open.ts';
import { stringifyToc } from '../../packages/core/src/seekable/toc-stringify.ts';
import { unpackSeekable } from '../../packages/core/src/seekable/unpack.ts';
import { verifyContent } from '../../packages/core/src/seekable/verify.ts';
import { endMarker, join, rawEntry } from '../tar/raw.ts';
import { CountingSource, gather } from '../tar/streams.ts';
import { blobWith, blobWithTocTar, built, contentOf, directory, file, hardlink, opened, symlink, tarOf, text } from './support.ts';

const long = new Uint8Array(1000).map((_, at) => at % 251);
const tree = [directory('d/', { mode: 0o700, mtime: 5 }), file('d/long', long, { uid: 3, uname: 'eve' }), hardlink('link', './d/long'), hardlink('link2', 'link'), symlink('sym', 'd'), file('x/y/z', 'deep')];

describe('a layer that is open', async () => {
  const { blob, report } = await built(await tarOf(...tree), { chunkSize: 300 });
  const layer = await opened(blob);

  it.each(['d/long', '/d/long', './d/long', '../d/long', 'd//long/', 'x/../d/long', 'link', 'link2'])('finds a file as %s', (path) => {
    expect(layer.lookup(path)).toBe(layer.root.child('d')?.child('long'));
  });

  it('finds nothing where nothing is, and no way through a file or a link', () => {
    expect(['nope', 'd/nope', 'd/long/x', 'sym/long', 'constructor'].map((path) => layer.lookup(path))).toEqual(Array.from({ length: 5 }));
  });

  it('knows what is in a directory, links as such and followed', () => {
    expect([...layer.root.children.keys()]).toEqual(['.no.prefetch.landmark', 'd', 'link', 'link2', 'sym', 'x']);
    expect(layer.root.children.get('link')?.type).toBe('hardlink');
    expect(layer.root.child('link')?.type).toBe('reg');
    expect([...layer.entries()].map(({ path }) => path)).toEqual(['', '.no.prefetch.landmark', 'd', 'd/long', 'link', 'link2', 'sym', 'x', 'x/y', 'x/y/z']);
  });

  it('tells what a file system would', () => {
    expect(layer.lookup('link2')?.stat()).toMatchObject({ name: 'long', type: 'reg', size: 1000, uid: 3, userName: 'eve', numLink: 3 });
    expect(layer.lookup('d')?.stat()).toMatchObject({ name: 'd', type: 'dir', mode: 0o700, mtime: 5, numLink: 2, size: 0 });
    expect(layer.lookup('d')?.modTime).toEqual(new Date(5000));
    expect(layer.lookup('sym')?.stat()).toMatchObject({ type: 'symlink', linkName: 'd' });
  });

  it('has directories that are not written down', () => {
    expect(layer.lookup('x')?.toc).toBeUndefined();
    expect(layer.lookup('x')?.stat()).toMatchObject({ type: 'dir', mode: 0o755, numLink: 3 });
    expect(layer.lookup('')?.numLink).toBe(4);
  });

  it('reads any part of a file', async () => {
    const source = layer.openFile('link');
    for (const [start, end] of [[0, 1000], [0, 1], [299, 301], [300, 600], [999, 1000], [500, 500], [1, 999]] as const) {
      expect(await gather(source.read(start, end))).toEqual(long.subarray(start, end));
    }
    expect(() => source.read(0, 1001)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('names the chunk of a byte', () => {
    expect([0, 299, 300, 999].map((offset) => layer.chunkEntryForOffset('link', offset)?.chunkOffset)).toEqual([0, 0, 300, 900]);
    expect([-1, 1000].map((offset) => layer.chunkEntryForOffset('link', offset))).toEqual([undefined, undefined]);
    expect(layer.chunkEntryForOffset('d', 0)).toBeUndefined();
  });

  it('says where the next member starts', () => {
    const chunks = layer.lookup('d/long')?.chunks ?? [];
    expect(chunks.slice(0, -1).map(({ nextOffset }) => nextOffset)).toEqual(chunks.slice(1).map(({ offset }) => offset));
    expect(layer.lookup('d/long')?.nextOffset).toBe(chunks[1]?.offset);
    expect(layer.lookup('x/y/z')?.nextOffset).toBe(layer.parts.payloadSize);
    expect(layer.lookup('d')?.nextOffset).toBeUndefined();
  });

  it('refuses to open what is no file', () => {
    expect(() => layer.openFile('nope')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    expect(() => layer.openFile('d')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('is vouched for by the digest of its TOC', async () => {
    const verifier = layer.verifyToc(report.tocDigest).verifier(layer.chunkEntryForOffset('d/long', 0) ?? expect.fail());
    await verifier.update(long.subarray(0, 300));
    await verifier.finish();
    const wrong = layer.verifiers().verifier(layer.chunkEntryForOffset('d/long', 0) ?? expect.fail());
    await wrong.update(long.subarray(1, 301));
    await expect(wrong.finish()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(() => layer.verifyToc(report.digest)).toThrow(expect.objectContaining({ code: 'DIGEST_MISMATCH' }));
    const other = await opened(blob);
    expect(() => layer.verifiers().verifier(other.chunks[0] ?? expect.fail())).toThrow(expect.objectContaining({ code: 'INVALID_TOC' }));
  });
});

describe('opening a layer', () => {
  it('takes footer and TOC, then what a read needs, and nothing else', async () => {
    const [a, b, c] = [randomBytes(200_000), randomBytes(200_000), randomBytes(200_000)];
    const { blob } = await built(await tarOf(file('a', a), file('b', b), file('c', c)), { chunkSize: 100_000 });
    const source = new CountingSource(blob);
    const layer = await openSeekable(source);
    expect(source.reads).toEqual([[blob.length - 65_536, blob.length]]);
    source.reads = [];
    const [first, second] = layer.lookup('b')?.chunks ?? [];
    expect(await gather(layer.openFile('b').read(99_999, 100_001))).toEqual(Uint8Array.from(b.subarray(99_999, 100_001)));
    expect(source.reads).toEqual([[first?.offset, second?.nextOffset]]);
  });

  it('reads a long TOC by itself, or with the footer where its place is known', async () => {
    const { blob } = await built(await tarOf(...Array.from({ length: 3000 }, (_, at) => file(`f${at}`, String(Math.imul(at, 2654435761))))));
    const source = new CountingSource(blob);
    const times: string[] = [];
    const telemetry = { footer: () => times.push('footer'), toc: () => times.push('toc'), parse: () => times.push('parse'), tree: () => times.push('tree') };
    const { parts } = await openSeekable(source, { telemetry });
    expect(source.reads).toEqual([[blob.length - 65_536, blob.length], [parts.tocOffset, blob.length - 51]]);
    expect(times).toEqual(['footer', 'toc', 'parse', 'tree']);
    source.reads = [];
    times.length = 0;
    await openSeekable(source, { tocOffset: parts.tocOffset ?? 0, telemetry });
    expect(times).toEqual(['footer', 'parse', 'tree']);
    expect(source.reads).toEqual([[parts.tocOffset, blob.length]]);
  });

  it('hands out chunks that were decompressed on the way', async () => {
    const { blob } = await built(await tarOf(file('a', 'one'), file('b', 'two'), file('c', 'three')), { minChunkSize: 5000, lossless: true });
    const layer = await opened(blob);
    const seen: string[] = [];
    const source = layer.openFile('c', { preRead: ({ entry }, bytes) => void seen.push(`${entry.path}=${Buffer.from(bytes).toString()}`) });
    expect(Buffer.from(await gather(source.read())).toString()).toBe('three');
    expect(seen).toEqual(['a=one', 'b=two']);
  });

  it('finds the footer alone', async () => {
    const { blob } = await built(await tarOf(file('a', 'x')));
    const source = new CountingSource(blob);
    const parts = await openFooter(source);
    expect(parts).toMatchObject({ footerSize: 51, payloadSize: parts.tocOffset });
    expect(parts.tocSize).toBe(blob.length - 51 - (parts.tocOffset ?? 0));
    // As much as the longest footer of all formats has.
    expect(source.reads).toEqual([[blob.length - 72, blob.length]]);
  });

  it('takes the footer of stargz, whose files have no digests, where it is told to', async () => {
    const payload = rawEntry({ name: 'a' }, 'hello');
    const blob = await blobWith(payload, { version: 1, entries: [{ name: 'a', type: 'reg', size: 5, innerOffset: 512 }] });
    const extra = text(`${gzipSync(payload).length.toString(16).padStart(16, '0')}STARGZ`);
    const footer = join(Uint8Array.of(0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 22, 0), extra, Uint8Array.of(1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0));
    expect(footer).toHaveLength(47);
    const legacy = join(blob.subarray(0, -51), footer);
    const layer = await opened(legacy, { unverified: true });
    expect(layer.parts.decompressor).toBe(legacyStargzDecompressor);
    expect(Buffer.from(await contentOf(layer, 'a')).toString()).toBe('hello');
    await expect(contentOf(await opened(legacy), 'a')).rejects.toMatchObject({ code: 'INVALID_TOC' });
    expect(() => layer.verifiers()).toThrow(expect.objectContaining({ code: 'INVALID_TOC' }));
  });

  it('ends with the reason of an abort', async () => {
    const { blob } = await built(await tarOf(file('a', 'x')));
    const reason = new Error('enough');
    await expect(opened(blob, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const layer = await opened(blob);
    await expect(gather(layer.openFile('a', { signal: AbortSignal.abort(reason) }).read())).rejects.toBe(reason);
  });
});

describe('a blob that is refused', () => {
  const payload = rawEntry({ name: 'a' }, 'hello');

  it.each([
    ['nothing', new Uint8Array(0)],
    ['a plain layer', new Uint8Array(gzipSync(payload))],
    ['zeros', new Uint8Array(100)],
  ])('has no footer: %s', async (_, blob) => {
    await expect(opened(blob)).rejects.toMatchObject({ code: 'INVALID_TOC' });
    await expect(openFooter(bytesSource(blob))).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });

  it.each([
    ['into itself', 1000 - 50],
    ['beyond the blob', 2 ** 40],
    ['beyond all numbers', 'ffffffffffffffff'],
    ['at nothing', '-000000000000001'],
    ['at a member that is no TOC', 0],
    ['into the midst of a member', 5],
  ])('has a footer that points %s', async (_, target) => {
    const start = new Uint8Array(gzipSync(payload));
    const footer = estargzFooter(typeof target === 'number' ? target : 0);
    if (typeof target === 'string') footer.set(text(target), 16);
    const blob = join(start, new Uint8Array(1000 - start.length - 51), footer);
    await expect(opened(blob)).rejects.toMatchObject({ code: expect.stringMatching(/^INVALID_(TOC|COMPRESSION)$/) });
  });

  it.each([
    ['two entries', join(rawEntry({ name: 'stargz.index.json' }, '{}'), rawEntry({ name: 'more' }, 'x'), endMarker)],
    ['no entry', endMarker],
    ['an entry of another name', join(rawEntry({ name: './stargz.index.json' }, '{}'), endMarker)],
    ['a link', join(rawEntry({ name: 'stargz.index.json', typeflag: '2', linkname: 'x' }), endMarker)],
    ['something after its end', join(rawEntry({ name: 'stargz.index.json' }, '{}'), endMarker, Uint8Array.of(1))],
    ['padding that is not zeros', join(rawEntry({ name: 'stargz.index.json' }, '{}').map((byte, at) => (at === 1000 ? 1 : byte)), endMarker)],
  ])('has a TOC member of %s', async (_, tocTar) => {
    await expect(opened(await blobWithTocTar(payload, tocTar))).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });

  it('has a TOC over the limit, compressed or not', async () => {
    const { blob, report } = await built(await tarOf(...Array.from({ length: 50 }, (_, at) => directory(`d${at}/`))));
    const size = stringifyToc(report.toc).length;
    expect((await opened(blob, { tocLimit: size })).tocDigest).toBe(report.tocDigest);
    for (const tocLimit of [10, size - 1]) await expect(opened(blob, { tocLimit })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const bomb = await blobWith(payload, `{"version":1,"entries":[]}${' '.repeat(4 * 1024 * 1024)}`);
    await expect(opened(bomb, { tocLimit: 100_000 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('has more paths than the limit, those included that are not written down', async () => {
    const blob = await blobWith(payload, { version: 1, entries: [{ name: 'd/'.repeat(50), type: 'dir' }] });
    await expect(opened(blob, { entryLimit: 50 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await opened(blob, { entryLimit: 51 })).lookup('d/'.repeat(50))?.type).toBe('dir');
  });

  const a = { name: 'a', type: 'reg', size: 5, innerOffset: 512 };
  const directoryEntry = { name: 'd', type: 'dir' };
  it.each([
    ['a name twice', [directoryEntry, { name: './d/', type: 'dir' }]],
    ['a root that is a file', [{ name: './', type: 'reg' }]],
    ['an entry below a file', [{ name: 'f', type: 'reg' }, { name: 'f/x', type: 'dir' }]],
    ['a file above an entry that was there before', [{ name: 'f/x', type: 'dir' }, { name: 'f', type: 'reg' }]],
    ['an entry below a symlink', [{ name: 'f', type: 'symlink', linkName: 'd' }, { name: 'f/x/y', type: 'dir' }]],
    ['a hardlink to nothing', [{ name: 'h', type: 'hardlink', linkName: 'nope' }]],
    ['a hardlink to a directory', [directoryEntry, { name: 'h', type: 'hardlink', linkName: 'd' }]],
    ['a hardlink to itself', [{ name: 'h', type: 'hardlink', linkName: '/h' }]],
    ['hardlinks in a circle', ['x', 'y', 'z'].map((name, at) => ({ name, type: 'hardlink', linkName: ['y', 'z', 'x'][at] }))],
    ['a chunk first', [{ name: 'a', type: 'chunk', chunkSize: 1 }]],
    ['a chunk after a directory', [a, directoryEntry, { name: 'a', type: 'chunk', chunkOffset: 5, offset: 1, chunkSize: 1 }]],
    ['a chunk of an empty file', [{ name: 'e', type: 'reg' }, { name: 'e', type: 'chunk', chunkSize: 1 }]],
    ['a gap between chunks', [{ ...a, chunkSize: 2 }, { name: 'a', type: 'chunk', offset: 1, chunkOffset: 3 }]],
    ['chunks over each other', [{ ...a, chunkSize: 3 }, { name: 'a', type: 'chunk', offset: 1, chunkOffset: 2 }]],
    ['a chunk too few', [{ ...a, chunkSize: 3 }]],
    ['a chunk too many', [a, { name: 'a', type: 'chunk', offset: 1, chunkOffset: 5, chunkSize: 1 }]],
    ['a chunk longer than its file', [{ ...a, chunkSize: 6 }]],
    ['a first chunk that is not at the start', [{ ...a, chunkOffset: 1 }]],
    ['content after the members', [{ ...a, offset: 1e6 }]],
    ['content where the TOC starts', [{ ...a, offset: gzipSync(payload).length }]],
    ['two chunks in one place', [a, { ...a, name: 'b' }]],
    ['a chunk within another one', [a, { ...a, name: 'b', innerOffset: 514 }]],
    ['chunks that are not in order', [{ ...a, offset: 5 }, { ...a, name: 'b' }]],
    ['an inner offset beyond all numbers', [{ ...a, innerOffset: Number.MAX_SAFE_INTEGER }]],
    ['a digest that is none', [{ ...a, digest: 'sha256:xyz' }]],
    ['a chunk digest that is none', [{ ...a, chunkDigest: '5' }]],
  ])('has a TOC with %s', async (_, entries) => {
    await expect(opened(await blobWith(payload, { version: 1, entries }))).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });

  it('has chunks in the right order, as a layer that is taken does', async () => {
    const entries = [{ ...a, size: 2 }, { ...a, name: 'b', size: 3, innerOffset: 514 }, { name: 'h', type: 'hardlink', linkName: 'a' }];
    const layer = await opened(await blobWith(payload, { version: 1, entries }), { unverified: true });
    expect(Buffer.from(await contentOf(layer, 'b')).toString()).toBe('llo');
  });
});

describe('content that is not what the TOC says', () => {
  const payload = rawEntry({ name: 'a' }, 'hello');
  const hello = 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
  const wrong = `sha256:${'0'.repeat(64)}`;
  const layerOf = async (entry: object, options = {}) =>
    opened(await blobWith(payload, { version: 1, entries: [{ name: 'a', type: 'reg', size: 5, innerOffset: 512, ...entry }] }), options);

  it('is taken where it is', async () => {
    const layer = await layerOf({ chunkDigest: hello, digest: hello });
    expect(await verifyContent(layer)).toEqual({ files: 1, chunks: 1, size: 5 });
    expect(await contentOf(layer, 'a')).toEqual(text('hello'));
    expect(await contentOf(await layerOf({ digest: hello }), 'a')).toEqual(text('hello'));
  });

  it.each([
    ['a chunk of another digest', { chunkDigest: wrong }, 'DIGEST_MISMATCH'],
    ['a chunk of a digest that cannot be computed', { chunkDigest: 'md5:0' }, 'INVALID_TOC'],
    ['a chunk from elsewhere', { chunkDigest: hello, innerOffset: 511 }, 'DIGEST_MISMATCH'],
    ['a chunk longer than its member', { chunkDigest: hello, size: 5000 }, 'INVALID_TOC'],
    ['no digest', {}, 'INVALID_TOC'],
  ])('is never handed out: %s', async (_, entry, code) => {
    const layer = await layerOf(entry);
    await expect(contentOf(layer, 'a')).rejects.toMatchObject({ code });
    await expect(verifyContent(layer)).rejects.toMatchObject({ code });
  });

  it('is found by the digest of the whole file too', async () => {
    const layer = await layerOf({ chunkDigest: hello, digest: wrong });
    await expect(verifyContent(layer)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    const { blob, report } = await built(await tarOf(file('a', 'hello')), { chunkSize: 2 });
    const json = JSON.stringify(report.toc).replaceAll(hello, wrong);
    const payloadSize = (await openFooter(bytesSource(blob))).tocOffset ?? 0;
    const tampered = join(blob.subarray(0, payloadSize), new Uint8Array(gzipSync(join(rawEntry({ name: 'stargz.index.json' }, json), endMarker))), estargzFooter(payloadSize));
    await expect(verifyContent(await opened(tampered))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('costs no more than the limit to find out', async () => {
    const layer = await layerOf({ chunkDigest: hello, innerOffset: 2 ** 40 });
    await expect(contentOf(layer, 'a')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const small = await layerOf({ chunkDigest: hello, digest: hello }, { memberLimit: 516 });
    await expect(verifyContent(small)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('is not unpacked beyond the limit', async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(2 ** 20)));
    const blob = join(bomb, (await blobWith(payload, { version: 1, entries: [] })).subarray(gzipSync(payload).length, -51), estargzFooter(bomb.length));
    await expect(gather(unpackSeekable(bytesSource(blob), { limit: 1000 }))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await gather(unpackSeekable(bytesSource(blob), { limit: 2 ** 20 }))).toHaveLength(2 ** 20);
  });
});
