import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSeekable, convertImage, digestBytes, estargz, fileSource, listFiles, noPrefetchLandmark, openImage, openSeekable, prefetchLandmark, seekableForm, SeekableWriter, tocDigestAnnotation, tocDigestOf, tocTarName, unpackImage, unpackSeekable, verifySeekable } from '@oci-tar/core';
import type { BuildOptions, ByteSource, Descriptor, Digest, ImageStore, SeekableLayer, TocEntry } from '@oci-tar/core';
import { beforeEach, expect, it } from 'vitest';
import { gather } from '../tar/streams.ts';
import { exported, imported, treeOf as treeOnDisk } from './files.ts';
import { makeSamples } from './images.ts';
import type { Samples } from './images.ts';
import { containerd } from './peers/containerd.ts';
import type { Containerd } from './peers/containerd.ts';
import { goProgram, hasGoPackage } from './peers/go.ts';
import { describeWith } from './peers/peer.ts';
import type { Needs } from './peers/peer.ts';
import { run } from './peers/tool.ts';
import { makeFull, makePlain } from './tar-trees.ts';

const library = 'github.com/containerd/stargz-snapshotter/estargz';

interface Reference {
  readonly program: string;
  /** A directory with the trees `plain`, `full` and `odd`. */
  readonly home: string;
}

/** The reference's own library, by way of a program of ours, and trees to be packed. */
const reference: Needs<Reference> = {
  tools: ['go', 'tar', 'mkfifo'],
  async start(directory) {
    const home = join(directory, 'home');
    makePlain(home);
    await mkdir(join(home, 'full'), { recursive: true });
    makeFull(home);
    // Names that a TOC can only have replaced come by themselves.
    await run('sh', ['-c', `mkdir "$1/odd" && mv "$1/full/not-utf8-"* "$1/odd"`, 'sh', home]);
    await writeFile(join(home, 'plain/large'), Buffer.alloc(20_000, 'abcdefg'));
    return { home, program: hasGoPackage(library) ? await goProgram('estargz') : '' };
  },
};

/** Formats of GNU tar, what goes before each name, and the trees that the format can hold. */
const tars = [
  { format: 'ustar', prefix: '', trees: ['plain'], level: 3 },
  { format: 'posix', prefix: './', trees: ['plain', 'full'], level: 3 },
  { format: 'gnu', prefix: '/', trees: ['plain', 'full'], level: 3 },
  { format: 'posix', prefix: '../', trees: ['plain', 'full'], level: 3 },
  // The tar and the TOC do not have the same name.
  { format: 'gnu', prefix: './odd/', trees: ['plain', 'odd'], level: 2 },
] as const;

/** A way to build that both know. */
interface Way {
  readonly name: string;
  readonly ours: BuildOptions;
  readonly theirs: readonly string[];
  readonly writer?: boolean;
}

const prioritized = ['./plain/hard', '/plain/dir/file', 'plain/dir/sub', 'none', '../plain/empty'];

const ways: readonly Way[] = [
  { name: 'sorted', ours: {}, theirs: [] },
  { name: 'in small chunks at level 1', ours: { chunkSize: 1024, level: 1 }, theirs: ['-chunk-size', '1024', '-level', '1'] },
  { name: 'with prioritized files', ours: { prioritizedFiles: prioritized, missingPrioritized: 'report', chunkSize: 700 }, theirs: ['-prioritize', prioritized.join(','), '-chunk-size', '700'] },
  { name: 'appended', ours: { chunkSize: 5000 }, theirs: ['-append', '-chunk-size', '5000'], writer: true },
  { name: 'without a byte lost', ours: { lossless: true, chunkSize: 1000 }, theirs: ['-lossless', '-chunk-size', '1000'] },
];

describeWith("the reference's estargz", reference, (lent) => {
  beforeEach(({ skip }) => skip(!hasGoPackage(library), `the Go library ${library} is not installed`));

  it.each(tars.flatMap((tar) => ways.map((way) => ({ ...tar, way, title: `${tar.format}, names from ${tar.prefix === '' ? 'nothing' : tar.prefix}, ${way.name}` }))))(
    'verifies and reads what we build as we do, and the other way round: $title',
    async ({ format, prefix, trees, level, way }) => {
      const { program, home } = lent().peer;
      const directory = await mkdtemp(join(lent().directory, 'layer-'));
      const tar = join(directory, 'in.tar');
      await run('tar', ['--create', `--format=${format}`, '--absolute-names', ...(format === 'posix' ? ['--pax-option', 'SCHILY.xattr.user.test:=välue'] : []), '--file', tar, '--directory', home, ...(prefix === '' ? [] : ['--transform', `s,^,${prefix},rSh`]), ...trees]);

      const ours = await build(tar, join(directory, 'ours'), way);
      const theirs = JSON.parse(await run(program, ['build', ...way.theirs, tar, join(directory, 'theirs')])) as TheirBuild;
      expect(ours.missing).toEqual(theirs.missing);

      for (const [blob, digest, diffID] of [['ours', ours.tocDigest, ours.diffID], ['theirs', theirs.tocDigest, theirs.diffID]] as const) {
        const path = join(directory, blob);
        const seen = JSON.parse(await run(program, ['read', path, digest])) as TheirReport;
        const layer = await openSeekable(await fileSource(path));
        expect(await verifySeekable(layer.blob, { tocDigest: digest, level, ...(level === 3 ? { diffID } : {}) })).toMatchObject({ level, content: { chunks: layer.chunks.length } });
        expect(seen).toMatchObject({ tocOffset: layer.parts.tocOffset, footerSize: layer.parts.footerSize, tocDigest: layer.tocDigest });
        expect(layer.toc.entries.map(plainEntry)).toEqual(seen.toc.entries);
        expect(await treeOf(layer)).toEqual(theirTree(seen, layer.blob.size));
        const unpacked = await gather(unpackSeekable(layer.blob));
        expect(await digestBytes(unpacked)).toBe(seen.unpacked);
        expect((await run('sh', ['-c', `gzip -dc "$1" | sha256sum`, 'sh', path])).slice(0, 64)).toBe(diffID.slice('sha256:'.length));
        if (way.ours.lossless === true) expect(Buffer.from(unpacked).equals(await readFile(tar))).toBe(true);
      }
      const [mine, other] = await Promise.all(['ours', 'theirs'].map(async (blob) => (await openSeekable(await fileSource(join(directory, blob)))).toc));
      expect(mine?.entries.map(withoutPlace)).toEqual(other?.entries.map(withoutPlace));
      await rm(directory, { recursive: true });
    },
  );
});

describeWith('containerd and eStargz', { ...containerd, tools: [...containerd.tools, 'ctr-remote'], start: startBoth }, (lent) => {
  it('ctr-remote converts an image, and we verify it and read it by its TOCs', async () => {
    const { peer, directory } = lent();
    const { name } = peer.samples.of.two;
    const theirs = peer.namespace('convert');
    await theirs.ctr('images', 'import', '--no-unpack', await exported(directory, peer.samples.store, [name]));
    await run('ctr-remote', ['--address', peer.address, '--namespace', 'convert', 'images', 'convert', '--estargz', '--oci', name, converted]);
    const archive = join(directory, 'converted.tar');
    await theirs.ctr('images', 'export', archive, converted);
    const store = await imported(directory, archive);
    const image = await openImage(store, (await store.resolve(converted)).descriptor);
    expect(image.layers).toHaveLength(2);
    for (const { descriptor, diffID, open } of image.layers) await expectSound(await open(), descriptor, diffID);
    expect(await namesIn(store, converted)).toEqual(await namesIn(peer.samples.store, name));
    // Their TOC is an entry of the tar, and no file of the image.
    const root = join(directory, 'unpacked');
    await unpackImage({ source: store, reference: converted, directory: root });
    expect(await treeOnDisk(root)).toContainEqual(expect.stringMatching(/^\.no\.prefetch\.landmark\t/));
    expect((await treeOnDisk(root)).filter((line) => !isOwnFile(line.split('\t')[0] ?? ''))).toEqual(await treeOnDisk(peer.samples.merged));
    expect(await readdir(root)).not.toContain(tocTarName);
  });

  it('ctr imports an image that we convert, and unpacks the tree that it had', async () => {
    const { peer, directory } = lent();
    const { samples } = peer;
    const form = seekableForm({ name: 'estargz', annotation: tocDigestAnnotation, compressor: estargz() });
    const { image } = await convertImage({ source: samples.store, target: samples.store, reference: samples.of.two.name, name: converted, form });
    const theirs = peer.namespace('ours');
    await theirs.ctr('images', 'import', '--snapshotter', 'native', await exported(directory, samples.store, [converted]));
    expect(await theirs.images()).toEqual(new Map([[converted, image.descriptor.digest]]));
    const mountPoint = join(directory, 'mounted');
    await mkdir(mountPoint);
    await theirs.ctr('images', 'mount', '--snapshotter', 'native', converted, mountPoint);
    try {
      const found = await treeOnDisk(mountPoint);
      expect(found.filter((line) => !isOwnFile(line.split('\t')[0] ?? ''))).toEqual(await treeOnDisk(samples.merged));
      // The TOC comes after the end of the archive, so it is not unpacked.
      expect(found.filter((line) => isOwnFile(line.split('\t')[0] ?? ''))).toEqual([expect.stringMatching(/^\.no\.prefetch\.landmark\tf 0 1 bytes/)]);
    } finally {
      await theirs.ctr('images', 'unmount', mountPoint);
    }
    const { layers } = await openImage(samples.store, image.descriptor);
    for (const { descriptor } of layers) {
      const digest = await run('ctr-remote', ['--address', peer.address, '--namespace', 'ours', 'images', 'get-toc-digest', descriptor.digest]);
      expect(digest.trim()).toBe(descriptor.annotations?.[tocDigestAnnotation]);
    }
  });
});

const converted = 'docker.io/library/converted:1';

interface Both extends Containerd {
  readonly samples: Samples;
  readonly address: string;
}

async function startBoth(directory: string): Promise<Both> {
  const samples = await makeSamples(join(directory, 'samples'));
  return { ...(await containerd.start(directory)), samples, address: join(directory, 'containerd/socket') };
}

/** A layer's blob, TOC, content and diffID are what its image says. */
async function expectSound(blob: ByteSource, descriptor: Descriptor, diffID: Digest): Promise<void> {
  const tocDigest = tocDigestOf(descriptor.annotations);
  expect(await verifySeekable(blob, { ...(tocDigest === undefined ? {} : { tocDigest }), diffID, digest: descriptor.digest })).toMatchObject({ level: 3, tocDigest });
}

/** What eStargz itself adds to a tree. */
function isOwnFile(path: string): boolean {
  return [noPrefetchLandmark, prefetchLandmark, tocTarName].includes(path);
}

async function namesIn(source: ImageStore, reference: string): Promise<readonly string[]> {
  const { nodes } = await listFiles({ source, reference, recursive: true });
  return nodes.map(({ path, type, size }) => `${path} ${type} ${size}`).filter((line) => !isOwnFile(line.split(' ')[0] ?? ''));
}

interface TheirBuild {
  readonly tocDigest: Digest;
  readonly diffID: Digest;
  readonly missing: readonly string[];
}

interface TheirEntry {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly mode: string;
  readonly modTime: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly numLink: number;
  readonly nextOffset: number;
  readonly xattrs: Readonly<Record<string, string>> | null;
  readonly content?: string;
}

interface TheirReport {
  readonly tocOffset: number;
  readonly footerSize: number;
  readonly tocDigest: string;
  readonly unpacked: string;
  readonly toc: { readonly entries: readonly object[] };
  readonly tree: Readonly<Record<string, TheirEntry>>;
}

async function build(tar: string, path: string, { ours, writer = false }: Way): Promise<TheirBuild> {
  const source = await fileSource(tar);
  // The reference's default, which shows in gzip's headers.
  const options = { level: 9, invalidNames: 'replace' as const, ...ours };
  if (writer) {
    const parts: Uint8Array[] = [];
    const layer = new SeekableWriter({ write: async (bytes) => void parts.push(bytes) }, options);
    await layer.appendTar(source.read());
    const { tocDigest, diffID } = await layer.close();
    await writeFile(path, parts);
    return { tocDigest, diffID, missing: [] };
  }
  const building = buildSeekable(source, options);
  await writeFile(path, await gather(building.blob));
  const { tocDigest, diffID, missingPrioritized } = building.report();
  return { tocDigest, diffID, missing: missingPrioritized };
}

/** An entry as JSON has it. */
function plainEntry({ xattrs, ...entry }: TocEntry): object {
  return { ...entry, ...(xattrs === undefined ? {} : { xattrs: Object.fromEntries([...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')])) }) };
}

/** Members that another compressor has made are of other lengths. */
function withoutPlace(entry: TocEntry): object {
  const { offset, ...rest } = entry;
  return { ...plainEntry(rest), hasPlace: offset !== undefined };
}

async function treeOf(layer: SeekableLayer): Promise<Readonly<Record<string, unknown>>> {
  const tree: Record<string, unknown> = {};
  for (const { path, target } of layer.entries()) {
    const { type, size, mode, mtime, uid, gid, userName, groupName, linkName, devMajor, devMinor, numLink, xattrs } = target.stat();
    const content = type === 'reg' ? `sha256:${createHash('sha256').update(await gather(layer.openFile(path).read())).digest('hex')}` : undefined;
    tree[path] = { type, size, mode, mtime, uid, gid, userName, groupName, linkName, devMajor, devMinor, numLink, nextOffset: target.nextOffset ?? 0, xattrs: Object.fromEntries([...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')])), ...(content === undefined ? {} : { content }) };
  }
  return tree;
}

function theirTree({ tree, tocOffset }: TheirReport, blobSize: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(tree).map(([path, { name: _, mode, modTime, xattrs, nextOffset, ...entry }]) => [
      path,
      // Of an empty file there is nothing to fetch; and behind the last chunk comes the TOC, which the reference counts to it.
      { ...entry, nextOffset: entry.size === 0 ? 0 : nextOffset === blobSize ? tocOffset : nextOffset, mode: unixMode(Number.parseInt(mode, 8)), mtime: modTime === noTime ? 0 : modTime, xattrs: xattrs ?? {} },
    ]),
  );
}

/** What Go takes for no time. */
const noTime = -62_135_596_800;

/** Go has bits of its own for these three. */
function unixMode(mode: number): number {
  return (mode & 0o777) + ((mode >>> 23) & 1) * 0o4000 + ((mode >>> 22) & 1) * 0o2000 + ((mode >>> 20) & 1) * 0o1000;
}
