import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { zstd } from '../../packages/core/src/compression/zstd.ts';
import { buildSeekable } from '../../packages/core/src/seekable/build.ts';
import { rollingChunks } from '../../packages/core/src/seekable/formats/rolling-chunks.ts';
import { nanosecondsOf } from '../../packages/core/src/seekable/formats/tar-header-fields.ts';
import { zstdChunked } from '../../packages/core/src/seekable/formats/zstd-chunked.ts';
import { encodeZstdFooter, skippableFrame } from '../../packages/core/src/seekable/formats/zstd-chunked-bytes.ts';
import { openSeekable } from '../../packages/core/src/seekable/open.ts';
import { tocDigestOf } from '../../packages/core/src/seekable/toc-digest.ts';
import { stringifyToc } from '../../packages/core/src/seekable/toc-stringify.ts';
import { unpackSeekable } from '../../packages/core/src/seekable/unpack.ts';
import { verifySeekable } from '../../packages/core/src/seekable/verify-seekable.ts';
import { endMarker, join, rawEntry, rawHeader, rawPax } from '../tar/raw.ts';
import { gather, inRuns } from '../tar/streams.ts';
import { compressWithCodec } from './compressed.ts';
import { contentOf, directory, file, opened, symlink, tarOf, text, trees } from './support.ts';
import fc from '../support/fast-check.ts';

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function packed(tar: Uint8Array, version: 1 | 2, options: { readonly lossless?: boolean; readonly chunkSize?: number; readonly runs?: readonly number[] } = {}) {
  const { runs, lossless = true, ...rest } = options;
  const build = buildSeekable(runs === undefined ? bytesSource(tar) : inRuns(tar, runs), { ...rest, lossless, compressor: zstdChunked({ version }) });
  const blob = await gather(build.blob);
  return { blob, report: build.report() };
}

/** The TOC's JSON and the tar-split lines of a blob of version 2, by its annotations alone. */
async function parts(blob: Uint8Array, annotations: Readonly<Record<string, string>>) {
  const at = (name: string): readonly number[] => (annotations[`io.github.containers.zstd-chunked.${name}`] ?? '').split(':').map(Number);
  const [offset = 0, size = 0, rawSize] = at('manifest-position');
  const [splitOffset = 0, splitSize = 0, splitRawSize] = at('tarsplit-position');
  const [toc, split] = [blob.slice(offset, offset + size), blob.slice(splitOffset, splitOffset + splitSize)];
  const [json, lines] = await Promise.all([toc, split].map((bytes) => gather(zstd.decompress(inRuns(bytes)))));
  expect([json?.length, lines?.length]).toEqual([rawSize, splitRawSize]);
  return { toc, split, json: Buffer.from(json ?? []).toString(), lines: Buffer.from(lines ?? []).toString() };
}

describe('zstd:chunked', () => {
  it.each([1, 2] as const)('version %s has every file of any tree, and is the tar to everyone else', async (version) => {
    await fc.assert(
      fc.asyncProperty(trees, fc.boolean(), async (tree, lossless) => {
        const tar = await tarOf(...tree);
        const { blob, report } = await packed(tar, version, { lossless, chunkSize: 1000 });
        const plain = await gather(zstd.decompress(inRuns(blob)));
        expect(report).toMatchObject({ digest: sha256(blob), size: blob.length, diffID: sha256(plain), tarSize: plain.length, suffix: '+zstd' });
        if (lossless) expect(Buffer.compare(plain, tar)).toBe(0);
        const { tocDigest, digest, diffID } = report;
        await verifySeekable(bytesSource(blob), { tocDigest, digest, diffID });
        const layer = await opened(blob);
        for (const entry of tree) {
          expect(layer.entry(entry.path)?.toc?.name).toBe(entry.path);
          if (entry.type === 'file') expect(await contentOf(layer, entry.path)).toEqual(entry.data);
        }
      }),
      { numRuns: 25 },
    );
  });

  it.each([1, 2] as const)('version %s is vouched for by its annotations', async (version) => {
    const { blob, report } = await packed(await tarOf(file('a', 'hello')), version);
    const layer = await opened(blob);
    expect(tocDigestOf(report.annotations)).toBe(report.tocDigest);
    const checksum = report.annotations[version === 1 ? 'io.containers.zstd-chunked.manifest-checksum' : 'io.github.containers.zstd-chunked.manifest-checksum'];
    const { tocOffset = 0, tocSize } = layer.parts;
    expect(checksum).toBe(sha256(blob.slice(tocOffset, tocOffset + tocSize)));
    // Tools know either by the compressed bytes or by the JSON.
    layer.verifyToc(`sha256:${checksum?.slice(7)}`);
    layer.verifyToc(report.tocDigest);
    expect(() => layer.verifyToc(report.digest)).toThrow(expect.objectContaining({ code: 'DIGEST_MISMATCH' }));
  });

  it('version 2 writes its TOC as its own tools do', async () => {
    const pax = rawPax({ 'SCHILY.xattr.user.b': 'v', 'SCHILY.xattr.user.a': Uint8Array.of(255), mtime: '1700000000.123456789', atime: '-1.5' });
    const tar = join(
      rawEntry({ name: 'd/', typeflag: '5', mode: 0o40755, uid: 1, mtime: 0 }),
      rawEntry({ name: 'x', typeflag: 'x' }, pax), rawEntry({ name: 'd/<a>', mtime: 5 }, 'hello'),
      rawEntry({ name: 'empty', mtime: 1 }),
      rawEntry({ name: 'g', format: 'gnu', mtime: 1, patch: [[345, text('00000000007\0')]] }, ''),
      rawHeader({ name: 'dev', typeflag: '3', devmajor: 1, devminor: 3, mtime: 1 }),
      rawEntry({ name: 'big', mtime: 1 }, new Uint8Array([...text('x'), ...new Uint8Array(3000), ...text('y')])),
      endMarker,
    );
    const { blob, report } = await packed(tar, 2);
    const { json, toc, split, lines } = await parts(blob, report.annotations);
    const chunks = (await opened(blob)).chunks.map(({ offset }) => offset);
    const member = (at: number) => chunks[at] ?? -1;
    const end = (at: number): number => report.toc.entries.filter(({ endOffset }) => endOffset !== undefined)[at]?.endOffset ?? -1;
    const digestOf = (bytes: Uint8Array) => sha256(bytes);
    const expected = {
      version: 1,
      entries: [
        { type: 'dir', name: 'd/', mode: 0o40755, uid: 1, modtime: '1970-01-01T00:00:00Z' },
        {
          type: 'reg', name: 'd/<a>', mode: 0o644, size: 5, modtime: '2023-11-14T22:13:20.123456789Z', accesstime: '1969-12-31T23:59:58.5Z',
          xattrs: { 'user.a': '/w==', 'user.b': 'dg==' }, digest: digestOf(text('hello')), offset: member(0), endOffset: end(0),
        },
        { type: 'reg', name: 'empty', mode: 0o644, modtime: '1970-01-01T00:00:01Z' },
        { type: 'reg', name: 'g', mode: 0o644, modtime: '1970-01-01T00:00:01Z', accesstime: '1970-01-01T00:00:07Z' },
        { type: 'char', name: 'dev', mode: 0o644, modtime: '1970-01-01T00:00:01Z', devMajor: 1, devMinor: 3 },
        {
          type: 'reg', name: 'big', mode: 0o644, size: 3002, modtime: '1970-01-01T00:00:01Z', digest: sha256(new Uint8Array([...text('x'), ...new Uint8Array(3000), ...text('y')])),
          offset: member(1), endOffset: end(3), chunkSize: 1, chunkDigest: sha256(text('x')),
        },
        { type: 'chunk', name: 'big', offset: member(2), chunkSize: 3000, chunkOffset: 1, chunkDigest: sha256(new Uint8Array(3000)), chunkType: 'zeros' },
        { type: 'chunk', name: 'big', offset: member(3), chunkSize: 1, chunkOffset: 3001, chunkDigest: sha256(text('y')) },
      ],
      tarSplitDigest: sha256(split),
    };
    expect(json).toBe(JSON.stringify(expected).replaceAll('<', '\\u003c').replaceAll('>', '\\u003e'));
    expect(report.annotations['io.github.containers.zstd-chunked.manifest-checksum']).toBe(sha256(toc));
    expect(lines.split('\n').filter((line) => line.includes('"type":1')).map((line) => JSON.parse(line).name)).toEqual(['d/', 'd/<a>', 'empty', 'g', 'dev', 'big']);
    // Content, then padding and headers, each in a frame of its own.
    expect(await gather(zstd.decompress(inRuns(blob.slice(member(0), end(0)))))).toEqual(text('hello'));
    await verifySeekable(bytesSource(blob), { tocDigest: report.tocDigest });
  });

  it('is the same, byte for byte, whatever the runs of the tar', async () => {
    const content = new Uint8Array(200_000).map((_, at) => (at % 5000 < 2000 ? 0 : Math.imul(at, 2654435761) >>> 24));
    const tar = await tarOf(file('a', content), file('b', new Uint8Array(5000)), directory('c/'));
    for (const version of [1, 2] as const) {
      const { report } = await packed(tar, version);
      for (const runs of [[1000, 3], [65_537], [4096, 1, 511]]) expect((await packed(tar, version, { runs })).report.digest).toBe(report.digest);
    }
  });

  it('version 2 takes the file that an eStargz layer, unpacked by others, has its TOC in', async () => {
    const tar = await tarOf(file('a', 'x'), file('stargz.index.json', '{}'));
    const { blob, report } = await packed(tar, 2);
    expect(report.diffID).toBe(sha256(tar));
    expect(await verifySeekable(bytesSource(blob), { diffID: report.diffID })).toMatchObject({ level: 3, content: { files: 2 } });
    await expect(packed(tar, 1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each([0, 20, 2.5])('has no level %s', (level) => {
    expect(() => zstdChunked({ level })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('version 2 takes no global headers, no minimum chunk size and no name twice', async () => {
    const global = rawEntry({ name: 'g', typeflag: 'g' }, rawPax({ comment: 'c' }));
    await expect(packed(join(global, await tarOf(file('a', 'x'))), 2)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect((await packed(join(global, await tarOf(file('a', 'x'))), 2, { lossless: false })).report.toc.entries).toHaveLength(2);
    expect(() => buildSeekable(bytesSource(endMarker), { compressor: zstdChunked(), minChunkSize: 5 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    await expect(packed(await tarOf(file('a', 'x'), file('a', 'y')), 2)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('annotations', () => {
  const digest = sha256(new Uint8Array(0));
  it('vouch for a TOC by any of three digests, and not as two formats at once', () => {
    expect(tocDigestOf()).toBeUndefined();
    for (const name of ['containerd.io/snapshot/stargz/toc.digest', 'io.containers.zstd-chunked.manifest-checksum', 'io.github.containers.zstd-chunked.manifest-checksum']) expect(tocDigestOf({ [name]: digest })).toBe(digest);
    const both = { 'containerd.io/snapshot/stargz/toc.digest': digest, 'io.github.containers.zstd-chunked.manifest-checksum': digest };
    expect(() => tocDigestOf(both)).toThrow(expect.objectContaining({ code: 'INVALID_TOC' }));
    expect(() => tocDigestOf({ 'io.containers.zstd-chunked.manifest-checksum': 'x' })).toThrow(expect.objectContaining({ code: 'INVALID_DIGEST' }));
  });
});

describe('the footer of zstd:chunked', async () => {
  const payload = await compressWithCodec('zstd', join(await tarOf(symlink('s', 'x'))));
  const json = stringifyToc({ version: 1, entries: [{ name: 's', type: 'symlink', linkName: 'x', mode: 0o777 }] });
  const toc = await compressWithCodec('zstd', json);
  const place = { offset: payload.length + 8, size: toc.length, rawSize: json.length };
  const blobOf = (footer: Uint8Array): Uint8Array => join(payload, skippableFrame(toc), footer);
  const magic = (footer: Uint8Array, letter: 'n' | 'N'): Uint8Array => footer.with(footer.length - 7, letter.charCodeAt(0));

  it.each([[1, 'n'], [1, 'N'], [2, 'n'], [2, 'N']] as const)('is read in the length of version %s with the magic number G%sUlInUx', async (version, letter) => {
    const layer = await opened(blobOf(magic(encodeZstdFooter(version, { toc: place }), letter)));
    expect(layer.lookup('s')?.stat().linkName).toBe('x');
    expect(layer.parts).toMatchObject({ payloadSize: payload.length, tocOffset: place.offset, tocSize: place.size });
  });

  it.each([
    ['another magic number', (footer: Uint8Array) => footer.with(footer.length - 1, 0x79)],
    ['another length in its frame', (footer: Uint8Array) => footer.with(4, 41)],
    ['no frame around it', (footer: Uint8Array) => footer.with(0, 0)],
    ['a TOC of another kind', (footer: Uint8Array) => footer.with(8 + 24, 2)],
    ['a TOC at 2^56', (footer: Uint8Array) => footer.with(8 + 7, 1)],
    ['a TOC after itself', (footer: Uint8Array) => footer.with(8 + 3, 1)],
    ['a TOC without end', (footer: Uint8Array) => footer.with(8 + 8 + 4, 1)],
    ['a TOC at the very start', (footer: Uint8Array) => footer.with(8, 3).with(9, 0)],
  ])('is refused with %s', async (_, change) => {
    for (const version of [1, 2] as const) await expect(opened(blobOf(change(encodeZstdFooter(version, { toc: place }))))).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });

  it('is refused where it points into a frame, or tar-split and TOC share bytes', async () => {
    const footer = encodeZstdFooter(1, { toc: { ...place, offset: place.offset - 2 } });
    await expect(opened(blobOf(footer))).rejects.toMatchObject({ code: expect.stringMatching(/^INVALID_(COMPRESSION|TOC)$/) });
    for (const offset of [place.offset, place.offset + 1, 2 ** 40]) {
      await expect(opened(blobOf(encodeZstdFooter(2, { toc: place, tarSplit: { ...place, offset } })))).rejects.toMatchObject({ code: 'INVALID_TOC' });
    }
  });

  it('does not make a TOC larger than the limit', async () => {
    const bomb = await compressWithCodec('zstd', join(json, new Uint8Array(4_000_000).fill(0x20)));
    const blob = join(payload, skippableFrame(bomb), encodeZstdFooter(1, { toc: { ...place, size: bomb.length } }));
    await expect(opened(blob, { tocLimit: 100_000 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await expect(opened(blob, { tocLimit: 20 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('is told from a plain layer', async () => {
    await expect(openSeekable(bytesSource(payload))).rejects.toMatchObject({ code: 'INVALID_TOC' });
    expect(Buffer.compare(await gather(unpackSeekable(bytesSource(blobOf(encodeZstdFooter(1, { toc: place }))))), await tarOf(symlink('s', 'x')))).toBe(0);
  });
});

/** The same rule byte by byte, over the whole file at once. */
function chunksOf(content: Uint8Array): { size: number; zeros: boolean }[] {
  const found: { size: number; zeros: boolean }[] = [];
  const window = Array.from({ length: 64 }, () => 0);
  let [first, second, start] = [64 * 31, 64 * 63 * 31, 0];
  const roll = (byte: number): boolean => {
    const dropped = window.shift() ?? 0;
    window.push(byte);
    first = (first + byte - dropped) >>> 0;
    second = (second + first - 64 * (dropped + 31)) >>> 0;
    return (second & 0xffff) === 0xffff;
  };
  const cut = (end: number, zeros: boolean): void => {
    if (end > start) found.push({ size: end - start, zeros });
    start = end;
  };
  for (let at = 0; at < content.length; at++) {
    let zeros = 0;
    while (content[at + zeros] === 0 && (content[at - 1] !== 0 || at === 0)) zeros += 1;
    if (zeros >= 1024) {
      cut(at, false);
      for (let i = 0; i < zeros; i++) roll(0);
      cut(at + zeros, true);
      at += zeros - 1;
    } else if (roll(content[at] ?? 0)) cut(at + 1, false);
  }
  cut(content.length, false);
  return found;
}

describe('chunks cut by content', () => {
  it('end where a checksum of the last 64 bytes says so, and around zeros, however the content comes', () => {
    const piece = fc.oneof(
      fc.tuple(fc.nat(90_000), fc.nat()).map(([length, seed]) => new Uint8Array(length).map((_, at) => Math.imul(at + seed, 2654435761) >>> 21)),
      fc.oneof(fc.nat(2500), fc.constantFrom(1023, 1024, 1025)).map((length) => new Uint8Array(length)),
      fc.uint8Array({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.array(fc.constantFrom(1, 500, 1023, 4096, 70_000), { minLength: 1, maxLength: 3 }), (pieces, lengths) => {
        const content = join(...pieces);
        const longest = lengths.every((length) => length === 1) ? [1, 3000] : lengths;
        const chunker = rollingChunks(content.length);
        const found: { size: number; zeros: boolean }[] = [];
        let [size, at, end] = [0, 0, 0];
        for (let turn = 0; at < content.length; turn++) {
          end = Math.min(content.length, end + (longest[turn % longest.length] ?? 1));
          while (at < end) {
            const { length, complete } = chunker.take(content.subarray(at, end));
            at += length;
            size += length;
            if (complete || at === content.length) {
              found.push({ size, zeros: chunker.chunkType === 'zeros' });
              size = 0;
            } else if (length === 0) break;
          }
        }
        expect(found).toEqual(chunksOf(content));
      }),
      { numRuns: 25 },
    );
  });

  it('are never longer than 8 MiB', () => {
    for (const byte of [0, 0x41]) {
      const content = new Uint8Array(20 * 1024 * 1024).fill(byte);
      const chunker = rollingChunks(content.length);
      expect(chunker.take(content)).toEqual({ length: 8 * 1024 * 1024, complete: true });
      expect(chunker.chunkType).toBe(byte === 0 ? 'zeros' : undefined);
    }
  });
});

it('reads times with any offset and digits as nanoseconds, and no time as 1970', () => {
  const second = 1_000_000_000n;
  expect(['', undefined, '1970-01-01T00:00:00Z', '0001-01-01T00:00:00Z'].map(nanosecondsOf)).toEqual([0n, 0n, 0n, 0n]);
  expect(nanosecondsOf('1970-01-01T02:00:01.5+02:00')).toBe((3n * second) / 2n);
  expect(nanosecondsOf('1969-12-31T23:59:58.5Z')).toBe((-3n * second) / 2n);
  expect(['1970', '1970-01-01', '1970-13-01T00:00:00Z', '1970-01-01T00:00:00', 'x'].map(nanosecondsOf)).toEqual(Array.from({ length: 5 }));
});
