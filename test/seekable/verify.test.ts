import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { externalTocCompressor } from '../../packages/core/src/seekable/formats/external-toc.ts';
import { zstdChunked } from '../../packages/core/src/seekable/formats/zstd-chunked.ts';
import { buildSeekable } from '../../packages/core/src/seekable/build.ts';
import type { TocEntry } from '../../packages/core/src/seekable/toc.ts';
import { verifySeekable } from '../../packages/core/src/seekable/verify-seekable.ts';
import type { VerifySeekableOptions } from '../../packages/core/src/seekable/verify-seekable.ts';
import { endMarker, join, rawEntry, rawPax } from '../tar/raw.ts';
import { CountingSource, gather } from '../tar/streams.ts';
import { built, directory, file, hardlink, symlink, tarOf, text } from './support.ts';
import type { Built } from './support.ts';
import { estargzOf, retold, retoldZstd } from './retold.ts';
import type { ZstdParts } from './retold.ts';

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}` as const;
const verify = (blob: Uint8Array, options: VerifySeekableOptions = {}) => verifySeekable(bytesSource(blob), options);
const zip = (bytes: Uint8Array): Uint8Array => new Uint8Array(gzipSync(bytes));
const chunkOf = (name: string, content: string, more: Partial<TocEntry> = {}): TocEntry => ({ name, type: 'reg', size: content.length, mode: 0o644, digest: sha256(text(content)), chunkDigest: sha256(text(content)), ...more });

const long = new Uint8Array(2500).map((_, at) => at % 251);
const xattr = { pax: new Map([['SCHILY.xattr.user.x', Uint8Array.of(1, 2)]]) };
const tree = [
  directory('d/', { mode: 0o700, mtime: 100 }),
  file('d/a', 'hello', { uid: 3, gid: 4, uname: 'eve', gname: 'staff', mtime: 1_700_000_000.4, ...xattr }),
  hardlink('h', 'd/a'),
  symlink('s', 'd/a'),
  { path: 'dev', type: 'block-device', devmajor: 8, devminor: 1 } as const,
  file('empty', ''),
  file('long', long),
  file('same', 'HELLO'),
];

describe('verifying a layer', () => {
  let layer: Built;
  beforeAll(async () => {
    layer = await built(await tarOf(...tree), { chunkSize: 1000, lossless: true });
  });

  it('tells what was found right, level by level', async () => {
    const { blob, report } = layer;
    const { tocDigest, digest, diffID } = report;
    const content = { files: 3, chunks: 5, size: 2510 };
    expect(await verify(blob, { level: 1, tocDigest })).toEqual({ level: 1, format: 'estargz', tocDigest });
    expect(await verify(blob, { level: 2 })).toEqual({ level: 2, format: 'estargz', tocDigest, content });
    expect(await verify(blob, { tocDigest, digest, diffID })).toEqual({ level: 3, format: 'estargz', tocDigest, content, tar: { digest, diffID, size: report.tarSize } });
  });

  it('reads the blob once at level 3, after its footer and TOC', async () => {
    const { blob } = await built(await tarOf(...Array.from({ length: 30 }, (_, at) => file(`f${at}`, Buffer.from(sha256(text(String(at))).repeat(100))))));
    const source = new CountingSource(blob);
    await verifySeekable(source);
    expect(source.reads).toEqual([[Math.max(0, blob.length - 65_536), blob.length], [0, blob.length]]);
  });

  it('refuses another TOC, another blob, another tar', async () => {
    const wrong = sha256(text('else'));
    for (const level of [1, 2, 3] as const) await expect(verify(layer.blob, { level, tocDigest: wrong })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(verify(layer.blob, { digest: wrong })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { actual: layer.report.digest } });
    await expect(verify(layer.blob, { diffID: wrong })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { actual: layer.report.diffID } });
    for (const level of [1, 2] as const) await expect(verify(layer.blob, { level, diffID: wrong })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('takes the TOC of a layer that has it elsewhere', async () => {
    const build = buildSeekable(bytesSource(await tarOf(...tree)), { compressor: externalTocCompressor({ level: 1 }), lossless: true });
    const blob = await gather(build.blob);
    const { externalToc = new Uint8Array(0), diffID } = build.report();
    expect(await verify(blob, { externalToc: bytesSource(externalToc), diffID })).toMatchObject({ format: 'estargz-external-toc', tar: { size: (await tarOf(...tree)).length } });
    await expect(verify(blob)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('ends with the reason of an abort', async () => {
    const reason = new Error('enough');
    for (const level of [1, 2, 3] as const) await expect(verify(layer.blob, { level, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('takes a TOC that follows the entries without an end, as other tools write it', async () => {
    const header = rawEntry({ name: 'a' }, 'hi');
    const blob = estargzOf([zip(header.slice(0, 512)), zip(header.slice(512))], ([, offset = 0]) => [chunkOf('a', 'hi', { offset })]);
    expect((await verify(blob)).tar?.diffID).toBe(sha256(new Uint8Array(gunzipSync(blob))));
  });

  describe('refuses, at level 3 alone, a TOC that says', () => {
    const entry = (name: string, change: (entry: TocEntry) => TocEntry | undefined) => (entries: readonly TocEntry[]) =>
      entries.flatMap((one) => (one.name === name && one.type !== 'chunk' ? (change(one) ?? []) : one));
    const set = (name: string, fields: Partial<TocEntry>) => entry(name, (one) => ({ ...one, ...fields }));

    it.each<[string, (entries: readonly TocEntry[]) => readonly TocEntry[]]>([
      ['another name', set('s', { name: 't' })],
      ['another spelling of a name', set('s', { name: './s' })],
      ['another type', set('s', { type: 'fifo' })],
      ['another mode', set('d/', { mode: 0o4700 })],
      ['another owner', set('d/a', { uid: 0 })],
      ['another group', set('d/a', { gid: 5 })],
      ['another user name', set('d/a', { userName: 'root' })],
      ['another group name', set('d/a', { groupName: 'root' })],
      ['another time', set('d/a', { modtime: '2023-11-14T22:13:22Z' })],
      ['no time', entry('d/a', ({ modtime: _, ...rest }) => rest)],
      ['a time that is none', set('d/a', { modtime: 'yesterday' })],
      ['another link', set('s', { linkName: '/etc/shadow' })],
      ['another hardlink', set('h', { linkName: 'same' })],
      ['another device', set('dev', { devMinor: 2 })],
      ['another value of an attribute', set('d/a', { xattrs: new Map([['user.x', Uint8Array.of(1, 3)]]) })],
      ['an attribute too many', set('d/a', { xattrs: new Map([['user.x', Uint8Array.of(1, 2)], ['user.y', new Uint8Array(0)]]) })],
      ['no attribute', entry('d/a', ({ xattrs: _, ...rest }) => rest)],
      ['an entry too few', entry('s', () => undefined)],
      ['an entry too many', (entries) => [...entries, { name: 'more', type: 'dir', mode: 0o755 }]],
      ['another order', (entries) => [...entries.filter(({ name }) => name !== 's'), ...entries.filter(({ name }) => name === 's')]],
      ['an empty file where there is content', entry('same', ({ name, type, mode }) => ({ name, type, mode: mode ?? 0 }))],
    ])('%s', async (_, change) => {
      const blob = await retold(layer.blob, change(layer.report.toc.entries));
      for (const level of [1, 2] as const) expect((await verify(blob, { level })).level).toBe(level);
      await expect(verify(blob)).rejects.toMatchObject({ code: 'INVALID_TOC' });
    });
  });

  it('refuses, from level 2 on, digests that are not those of the content', async () => {
    const change = (fields: Partial<TocEntry>, name: string) => retold(layer.blob, layer.report.toc.entries.map((one) => (one.name === name && one.type === 'reg' ? { ...one, ...fields } : one)));
    for (const blob of [await change({ chunkDigest: sha256(text('else')) }, 'd/a'), ...(await Promise.all(['d/a', 'long', 'empty'].map((name) => change({ digest: sha256(text('else')) }, name))))]) {
      expect((await verify(blob, { level: 1 })).level).toBe(1);
      for (const level of [2, 3] as const) await expect(verify(blob, { level })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    }
  });

  it('refuses, at every level, content without a digest', async () => {
    const blob = await retold(layer.blob, layer.report.toc.entries.map(({ chunkDigest: _, ...rest }) => rest));
    for (const level of [1, 2, 3] as const) await expect(verify(blob, { level })).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });
});

describe('verifying at level 3 finds a tar that a plain reader reads otherwise:', () => {
  const head = (name: string, content: string): [Uint8Array, Uint8Array] => {
    const entry = rawEntry({ name }, content);
    return [entry.slice(0, 512), entry.slice(512)];
  };
  const [aHead, aBody] = head('a', 'hello');
  const [bHead, bBody] = head('b', 'world');
  const toc = (a: number, b: number) => [chunkOf('a', 'hello', { offset: a }), chunkOf('b', 'world', { offset: b })];
  const two = ([, a = 0, b = 0]: readonly number[]) => toc(a, b);

  it('not this one', async () => {
    expect((await verify(estargzOf([zip(aHead), zip(join(aBody, bHead)), zip(join(bBody, endMarker))], two))).content?.files).toBe(2);
  });

  it.each<[string, readonly Uint8Array[], (offsets: readonly number[]) => readonly TocEntry[], string]>([
    ['content that is not where the tar has it', [zip(aHead), zip(join(aBody, bHead)), zip(join(text('HELLO'), bBody.slice(5), text('world'))), zip(endMarker)], ([, a = 0, b = 0]) => [chunkOf('a', 'hello', { offset: a }), chunkOf('b', 'world', { offset: b, innerOffset: 512 })], 'INVALID_TOC'],
    ['an entry that the TOC hides', [zip(aHead), zip(join(aBody, rawEntry({ name: 'hidden' }, 'x'), bHead)), zip(join(bBody, endMarker))], two, 'INVALID_TOC'],
    ['entries after its end', [zip(aHead), zip(join(aBody, endMarker, bHead)), zip(join(bBody, endMarker))], two, 'INVALID_TOC'],
    ['an entry twice', [zip(aHead), zip(join(aBody, rawEntry({ name: 'a' }, 'other'), bHead)), zip(join(bBody, endMarker))], two, 'INVALID_TOC'],
    ['zeros between members, where some readers stop', [zip(aHead), join(zip(join(aBody, bHead)), new Uint8Array(20)), zip(join(bBody, endMarker))], two, 'INVALID_COMPRESSION'],
    ['members that are no tar', [zip(aHead), zip(join(aBody, text('x'.repeat(512)))), zip(join(bBody, endMarker))], two, 'INVALID_TAR'],
    ['a name that is not UTF-8', [zip(rawEntry({ name: Uint8Array.of(0x63, 0xe9) })), zip(endMarker)], () => [{ name: 'c\ufffd', type: 'reg', mode: 0o644 }], 'INVALID_TOC'],
    ['an entry that no TOC can have', [zip(rawEntry({ name: 'v', typeflag: 'V' })), zip(endMarker)], () => [{ name: 'v', type: 'reg', mode: 0o644 }], 'INVALID_TOC'],
    ['a TOC in the midst of it', [zip(join(rawEntry({ name: 'stargz.index.json' }, '{}'), aHead)), zip(join(aBody, bHead)), zip(join(bBody, endMarker))], two, 'INVALID_TOC'],
  ])('%s', async (_, members, entries, code) => {
    await expect(verify(estargzOf(members, entries))).rejects.toMatchObject({ code });
  });

  it('a bomb behind its end, or in a member of five bytes', async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(70 * 1024 * 1024), { level: 1 }));
    await expect(verify(estargzOf([zip(aHead), zip(join(aBody, bHead)), zip(join(bBody, endMarker)), bomb], two))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const inMember = (bytes: Uint8Array) => estargzOf([zip(aHead), join(zip(aBody), bytes), zip(bHead), zip(join(bBody, endMarker))], ([, a = 0, , b = 0]) => toc(a, b));
    await expect(verify(inMember(bomb))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await expect(verify(inMember(zip(new Uint8Array(1024 * 1024))))).rejects.toMatchObject({ code: 'INVALID_TOC' });
    // A reader of the file alone never gets to it.
    expect((await verify(inMember(bomb), { level: 2 })).level).toBe(2);
  });
});

describe('verifying zstd:chunked of version 2', () => {
  let blob: Uint8Array;
  beforeAll(async () => {
    const pax = rawPax({ mtime: '5.25', atime: '7' });
    const tar = join(rawEntry({ name: 'd/', typeflag: '5', mode: 0o40755 }), rawEntry({ name: 'x', typeflag: 'x' }, pax), rawEntry({ name: 'd/a' }, 'hello'), rawEntry({ name: 'z' }, join(new Uint8Array(2000), text('z'))), endMarker);
    blob = await gather(buildSeekable(bytesSource(tar), { compressor: zstdChunked(), lossless: true }).blob);
  });
  const at = (parts: ZstdParts, index: number): Record<string, unknown> => parts.toc.entries[index] ?? {};

  it('finds nothing wrong where nothing is', async () => {
    expect((await verify(blob)).content).toEqual({ files: 2, chunks: 3, size: 2006 });
    expect((await verify(await retoldZstd(blob, () => {}))).level).toBe(3);
    // The time of the beginning and no time are one.
    await verify(await retoldZstd(blob, (parts) => delete at(parts, 0)['modtime']));
  });

  it.each<[string, (parts: ZstdParts) => void]>([
    ['a fraction of a second too much', (parts) => void (at(parts, 1)['modtime'] = '1970-01-01T00:00:05Z')],
    ['another access time', (parts) => void delete at(parts, 1)['accesstime']],
    ['a change time', (parts) => void (at(parts, 1)['changetime'] = '1970-01-01T00:00:07Z')],
    ['a mode without the type that the tar has', (parts) => void (at(parts, 0)['mode'] = 0o755)],
    ['another link of what is no link', (parts) => void (at(parts, 1)['linkName'] = 'x')],
    ['zeros that are none', (parts) => void (at(parts, 3)['chunkType'] = 'zeros')],
    ['a chunk of an unknown type', (parts) => void (at(parts, 3)['chunkType'] = 'delta')],
    ['a tar-split part that is not there', (parts) => void (parts.noPosition = true)],
    ['a digest of the tar-split part that is none', (parts) => void (parts.toc['tarSplitDigest'] = 'x')],
    ['a tar-split part with a line too few', (parts) => void (parts.lines = `${parts.lines.split('\n').slice(0, -2).join('\n')}\n`)],
    ['a tar-split part with a line too many', (parts) => void (parts.lines += `{"type":2,"payload":"eA==","position":${parts.lines.split('\n').length - 1}}\n`)],
    ['a tar-split part with a file too many', (parts) => void (parts.lines += `{"type":1,"name":"more","size":5,"payload":"AAAAAAAAAAA=","position":${parts.lines.split('\n').length - 1}}\n`)],
    ['a tar-split part with other bytes', (parts) => void (parts.lines = parts.lines.replace('"payload":"ZC8A', '"payload":"ZS8A'))],
    ['a tar-split part with another name', (parts) => void (parts.lines = parts.lines.replace('"name":"d/a"', '"name":"d/b"'))],
    ['a tar-split part with another size', (parts) => void (parts.lines = parts.lines.replace('"size":5,', '"size":6,'))],
    ['a tar-split part with another checksum', (parts) => void (parts.lines = parts.lines.replace(/"size":5,"payload":"(.)/, (line, digit) => line.replace(/.$/, digit === 'A' ? 'B' : 'A')))],
  ])('refuses %s', async (_, change) => {
    await expect(verify(await retoldZstd(blob, change))).rejects.toMatchObject({ code: 'INVALID_TOC' });
  });

  it('refuses a tar-split part of another digest or length', async () => {
    await expect(verify(await retoldZstd(blob, (parts) => void (parts.toc['tarSplitDigest'] = sha256(text('else')))))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(verify(await retoldZstd(blob, (parts) => void (parts.rawSize = 50)))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await expect(verify(await retoldZstd(blob, (parts) => void (parts.rawSize = 50_000)))).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });

  it('takes one without a tar-split part, as its first tools wrote it', async () => {
    const bare = await retoldZstd(blob, (parts) => {
      parts.noPosition = true;
      parts.toc['tarSplitDigest'] = '';
    });
    expect((await verify(bare)).level).toBe(3);
  });
});
