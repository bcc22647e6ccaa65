import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSeekable, bytesSource, fileSource, openSeekable, stringifyToc, tocDigestOf, verifySeekable, zstdChunked } from '@oci-tar/core';
import type { Digest, SeekableLayer } from '@oci-tar/core';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { endMarker, join as joined, rawEntry, rawPax } from '../tar/raw.ts';
import { text } from '../seekable/support.ts';
import { gather } from '../tar/streams.ts';
import { goProgram, hasGoPackage } from './peers/go.ts';
import { describeWith } from './peers/peer.ts';
import type { Needs } from './peers/peer.ts';
import { skopeo } from './peers/skopeo.ts';
import { lacking, run } from './peers/tool.ts';

const sha256 = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const noisy = new Uint8Array(400_000).map((_, at) => Math.imul(at ^ (at << 7), 2654435761) >>> 21);
const xattr = rawPax({ 'SCHILY.xattr.user.x': Uint8Array.of(0, 1, 255), mtime: '1700000000.25', atime: '1700000001' });
/** A tar with all that matters: every type, long names, attributes, files of many chunks, zeros within and around content. */
const sample = joined(
  rawEntry({ name: './', typeflag: '5', mode: 0o755, mtime: 1 }),
  rawEntry({ name: './x', typeflag: 'x' }, xattr), rawEntry({ name: './a<b>', mode: 0o4755, uid: 7, gid: 8, uname: 'user', gname: 'group' }, 'hello'),
  rawEntry({ name: '././@LongLink', typeflag: 'L', format: 'gnu' }, `./${'l'.repeat(150)}\0`), rawEntry({ name: './l', format: 'gnu', mtime: 5 }, 'long name'),
  rawEntry({ name: './empty', mtime: 5 }),
  rawEntry({ name: './noisy', mtime: 5 }, noisy),
  rawEntry({ name: './zeros', mtime: 5 }, new Uint8Array(70_000)),
  rawEntry({ name: './mixed', mtime: 5 }, joined(new Uint8Array(1023), noisy.subarray(0, 5000), new Uint8Array(1024), noisy.subarray(0, 90_000), new Uint8Array(5000))),
  rawEntry({ name: './sym', typeflag: '2', linkname: 'noisy', mtime: 5 }),
  rawEntry({ name: './hard', typeflag: '1', linkname: './noisy', mtime: 5 }),
  rawEntry({ name: './dev', typeflag: '3', devmajor: 1, devminor: 3, mtime: 5 }),
  rawEntry({ name: './pipe', typeflag: '6', mtime: 5 }),
  endMarker,
);

async function ours(version: 1 | 2, options: { readonly lossless?: boolean; readonly chunkSize?: number } = { lossless: true }) {
  const build = buildSeekable(bytesSource(sample), { ...options, compressor: zstdChunked({ version }) });
  return { blob: await gather(build.blob), report: build.report() };
}

describeWith('the zstd tool and our zstd:chunked', { tools: ['zstd'], start: async () => '' }, (lent) => {
  it.each([1, 2] as const)('zstd tests version %s and makes the tar of it', async (version) => {
    const directory = await mkdtemp(join(lent().directory, 'zstd-'));
    const { blob } = await ours(version);
    await writeFile(join(directory, 'layer.zst'), blob);
    await run('zstd', ['--test', '--quiet', join(directory, 'layer.zst')]);
    await run('zstd', ['--decompress', '--quiet', join(directory, 'layer.zst'), '-o', join(directory, 'layer.tar')]);
    expect((await readFile(join(directory, 'layer.tar'))).equals(sample)).toBe(true);
  });
});

interface Layer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly annotations: Record<string, string>;
}

describeWith('the zstd:chunked that skopeo writes', skopeo, (lent) => {
  let layer: Layer;
  let blob: string;
  let open: SeekableLayer;
  beforeAll(async () => {
    if (lacking(skopeo.tools) !== undefined) return;
    const { peer, directory } = lent();
    const source = join(directory, 'plain');
    await writeLayout(source, sample);
    const target = join(directory, 'chunked');
    await peer('copy', '--dest-compress-format', 'zstd:chunked', `oci:${source}:a`, `oci:${target}:a`);
    const path = (digest: string): string => join(target, 'blobs', digest.replace(':', '/'));
    const index = JSON.parse(await readFile(join(target, 'index.json'), 'utf8'));
    const manifest = JSON.parse(await readFile(path(index.manifests[0].digest), 'utf8'));
    layer = manifest.layers[0];
    blob = path(layer.digest);
    open = await openSeekable(await fileSource(blob));
  });

  it('is opened, and vouched for by the annotations', () => {
    const digest = tocDigestOf(layer.annotations);
    expect(digest).toBeDefined();
    if (digest !== undefined) open.verifyToc(digest);
    expect(open.lookup('hard')).toBe(open.lookup('noisy'));
    expect(open.lookup('a<b>')?.stat()).toMatchObject({ mode: 0o4755, uid: 7, gid: 8, size: 5 });
  });

  it('is verified at every level, every file as it was', async () => {
    const tocDigest = tocDigestOf(layer.annotations) ?? expect.fail();
    for (const level of [1, 2] as const) expect((await verifySeekable(await fileSource(blob), { level, tocDigest })).level).toBe(level);
    const { tar, content } = await verifySeekable(await fileSource(blob), { tocDigest, digest: layer.digest });
    expect(content?.files).toBe(5);
    expect(await gather(open.openFile('noisy').read(100_000, 100_010))).toEqual(noisy.subarray(100_000, 100_010));
    // Its version of the format leaves out zeros at the end of an archive.
    expect(tar?.diffID).toBe(sha256(sample.subarray(0, tar?.size)));
    expect(sample.subarray(tar?.size).every((byte) => byte === 0)).toBe(true);
  });

  it('is cut where we cut', async () => {
    const { report, blob: mine } = await ours(2);
    const of = ({ chunks }: SeekableLayer) => chunks.map(({ entry, chunkOffset, chunkSize }) => [entry.path, chunkOffset, chunkSize]);
    expect(new Set(report.toc.entries.filter(({ chunkType }) => chunkType === 'zeros').map(({ name }) => name))).toEqual(new Set(['./zeros', './mixed']));
    expect(of(await openSeekable(bytesSource(mine)))).toEqual(of(open));
  });
});

/** An image of one plain layer. */
async function writeLayout(path: string, tar: Uint8Array): Promise<void> {
  await mkdir(join(path, 'blobs/sha256'), { recursive: true });
  const put = async (content: Uint8Array | object) => {
    const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
    await writeFile(join(path, 'blobs/sha256', sha256(bytes).slice(7)), bytes);
    return { digest: sha256(bytes), size: bytes.length };
  };
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar', ...(await put(tar)) };
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await put({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } })) };
  const manifest = await put({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config, layers: [layer] });
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', ...manifest, annotations: { 'org.opencontainers.image.ref.name': 'a' } };
  await writeFile(join(path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
}

const library = 'github.com/containerd/stargz-snapshotter/estargz/zstdchunked';
const upstream: Needs<string> = { tools: ['go'], start: async () => (hasGoPackage(library) ? goProgram('zstd-chunked') : '') };

interface Found {
  readonly path: string;
  readonly type: string;
  readonly size: number;
  readonly mode: number;
  readonly link: string;
  readonly content: string;
  readonly chunks: number;
}

describeWith("stargz-snapshotter's zstd:chunked", upstream, (lent) => {
  beforeEach(({ skip }) => skip(!hasGoPackage(library), `the Go library ${library} is not installed`));

  it.each([{ lossless: true }, { lossless: false }, { lossless: true, chunkSize: 50_000 }])('opens what we build, every chunk verified: %j', async (options) => {
    const directory = await mkdtemp(join(lent().directory, 'ours-'));
    const { blob, report } = await ours(1, options);
    await writeFile(join(directory, 'blob'), blob);
    const found: Found[] = JSON.parse(await run(lent().peer, ['open', join(directory, 'blob'), report.tocDigest]));
    const layer = await openSeekable(bytesSource(blob));
    const expected: Found[] = [];
    for (const { path, target } of layer.entries()) {
      if (path === '') continue;
      const { type, size, mode, linkName } = target.stat();
      const content = type === 'reg' ? sha256(await gather(layer.openFile(path).read())) : '';
      expected.push({ path, type, size, mode, link: linkName, content, chunks: target.chunks.length });
    }
    const byPath = (a: Found, b: Found) => (a.path < b.path ? -1 : 1);
    expect(found.toSorted(byPath)).toEqual(expected.toSorted(byPath));
    await expect(run(lent().peer, ['open', join(directory, 'blob'), report.digest])).rejects.toThrow();
  });

  it.each([{ lossless: true }, { lossless: false }, { lossless: true, chunkSize: 50_000 }])('builds what we open and verify, with the TOC that we write: %j', async ({ lossless, chunkSize = 0 }) => {
    const directory = await mkdtemp(join(lent().directory, 'theirs-'));
    await writeFile(join(directory, 'tar'), sample);
    const flags = [...(lossless ? ['-lossless'] : []), '-chunk', String(chunkSize)];
    const { tocDigest, diffID, annotations } = JSON.parse(await run(lent().peer, ['build', ...flags, join(directory, 'tar'), join(directory, 'blob')]));
    const source = await fileSource(join(directory, 'blob'));
    const verified = await verifySeekable(source, { tocDigest, diffID });
    expect(verified.format).toBe('zstd-chunked-v1');
    const layer = await openSeekable(source);
    layer.verifyToc(tocDigestOf(annotations) ?? expect.fail());
    // The same JSON: the offsets are those of another compressor.
    expect(sha256(stringifyToc(layer.toc))).toBe(tocDigest);
    if (!lossless) return;
    const { report } = await ours(1, { lossless, ...(chunkSize === 0 ? {} : { chunkSize }) });
    const placeless = ({ toc }: Pick<SeekableLayer, 'toc'>) => toc.entries.map(({ offset: _, endOffset: __, ...entry }) => JSON.stringify({ ...entry, xattrs: [...(entry.xattrs ?? [])] }, Object.keys(entry).toSorted()));
    expect(placeless(layer)).toEqual(placeless({ toc: { ...report.toc, entries: report.toc.entries.map((entry) => Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== 0 && value !== '')) as typeof entry) } }));
  });

  it('reads of each header what our TOC of version 2 says of it, to the nanosecond', async () => {
    const directory = await mkdtemp(join(lent().directory, 'headers-'));
    const times = ['0', '-1.5', '5.123456789', '1700000000.9999999999', '-0.000000001', '7.'];
    const time = (value: number) => text(`${value.toString(8).padStart(11, '0')}\0`);
    const tar = joined(
      sample.subarray(0, -1024),
      ...times.map((value, at) => joined(rawEntry({ name: 'x', typeflag: 'x' }, rawPax({ mtime: value, atime: value, ctime: value })), rawEntry({ name: `time-${at}` }))),
      rawEntry({ name: 'gnu', format: 'gnu', patch: [[345, time(8)], [357, time(9)]] }),
      rawEntry({ name: 'star', format: 'star', patch: [[476, time(8)], [488, time(9)]] }),
      rawEntry({ name: 'old', format: 'v7', mode: 0o100644 }, 'x'),
      rawEntry({ name: 'with-devices', mode: 0o100644, devmajor: 5, devminor: 6, linkname: 'no link' }, 'x'),
      rawEntry({ name: 'dir-with-size/', typeflag: '5', size: 0 }),
      rawEntry({ name: 'x', typeflag: 'x' }, rawPax({ uid: '3000000', gid: '4000000', size: '3', path: 'größe', linkpath: 'l' })), rawEntry({ name: 'pax' }, 'abc'),
      endMarker,
    );
    await writeFile(join(directory, 'tar'), tar);
    const theirs: Record<string, unknown>[] = JSON.parse(await run(lent().peer, ['headers', join(directory, 'tar')]));
    const build = buildSeekable(bytesSource(tar), { compressor: zstdChunked(), lossless: true });
    const blob = bytesSource(await gather(build.blob));
    await verifySeekable(blob, { tocDigest: build.report().tocDigest });
    const { toc } = await openSeekable(blob);
    const noTime = '0001-01-01T00:00:00Z';
    const ofOurs = toc.entries.filter(({ type }) => type !== 'chunk').map((entry) => ({
      name: entry.name, linkName: entry.linkName ?? '', mode: entry.mode ?? 0, size: entry.size ?? 0, uid: entry.uid ?? 0, gid: entry.gid ?? 0,
      modtime: entry.modtime ?? noTime, accesstime: entry.accesstime ?? noTime, changetime: entry.changetime ?? noTime, devMajor: entry.devMajor ?? 0, devMinor: entry.devMinor ?? 0,
      xattrs: Object.fromEntries([...(entry.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString('base64')])),
    }));
    expect(ofOurs).toEqual(theirs);
  });
});
