import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyImage, exportImages, openDirectory, openFile, importStream } from '@oci-tar/core';
import type { ImportNaming } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestsOf, entriesOf, expectVerified, exported, freshStore, imported, temporaryDirectory, treeOf } from './files.ts';
import { here, makeSamples, moreNames, sampleKeys } from './images.ts';
import type { Samples } from './images.ts';
import { containerd } from './peers/containerd.ts';
import type { Containerd } from './peers/containerd.ts';
import { describeWith } from './peers/peer.ts';
import { run } from './peers/tool.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const allNames = () => [...sampleKeys.map((key) => samples.of[key].name), ...moreNames];
const digestOf = (name: string) => sampleKeys.map((key) => samples.of[key]).find((sample) => sample.name === name)?.digest ?? samples.of.named.digest;
const expectedDigests = () => new Map(allNames().map((name) => [name, digestOf(name)]));

/** Sorts what has no order of its own, and drops what a version of ctr adds or leaves out. */
function meaning(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(meaning).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof document !== 'object' || document === null) return document;
  return Object.fromEntries(Object.entries(document).map(([key, value]) => [key, key === 'Layers' ? value : meaning(value)]).toSorted());
}

/** ctr 2 writes the media type of index.json as we do, ctr 1 leaves it out. */
function indexMeaning(document: unknown): unknown {
  const { mediaType, ...rest } = document as Record<string, unknown>;
  expect([undefined, 'application/vnd.oci.image.index.v1+json']).toContain(mediaType);
  return meaning(rest);
}

describeWith('containerd and our archives', containerd, (lent) => {
  it.each(sampleKeys)('ctr imports and unpacks an image of kind %s under its digest', async (key) => {
    const { peer, directory: own } = lent();
    const { name, digest } = samples.of[key];
    const ours = peer.namespace(`one-${key}`);
    await ours.ctr('images', 'import', '--snapshotter', 'native', await exported(own, samples.store, [name]));
    expect(await ours.images()).toEqual(new Map([[name, digest]]));
    await ours.ctr('images', 'check', '--snapshotter', 'native', `name==${name}`).then((status) => expect(status).toMatch(/complete \(\d+\/\d+\).*true/));
  });

  it('ctr imports all images and all names of one archive, every platform, without unpacking', async () => {
    const { peer, directory: own } = lent();
    const ours = peer.namespace('all');
    await ours.ctr('images', 'import', '--no-unpack', '--all-platforms', await exported(own, samples.store, allNames()));
    expect(await ours.images()).toEqual(expectedDigests());
  });

  it('ctr imports an archive of one platform of two, under the digest of the index', async () => {
    const { peer, directory: own } = lent();
    const ours = peer.namespace('sparse');
    const { name, digest } = samples.of.multi;
    await ours.ctr('images', 'import', '--snapshotter', 'native', await exported(own, samples.store, [name], { platforms: [here] }));
    expect(await ours.images()).toEqual(new Map([[name, digest]]));
  });

  it('what ctr unpacks is the tree that the image was made of', async () => {
    const { peer, directory: own } = lent();
    const ours = peer.namespace('tree');
    const { name } = samples.of.two;
    await ours.ctr('images', 'import', '--snapshotter', 'native', await exported(own, samples.store, [name]));
    const mountPoint = join(own, 'mounted');
    await mkdir(mountPoint);
    await ours.ctr('images', 'mount', '--snapshotter', 'native', name, mountPoint);
    try {
      expect(await treeOf(mountPoint)).toEqual(await treeOf(samples.merged));
    } finally {
      await ours.ctr('images', 'unmount', mountPoint);
    }
  });

  it('ctr imports what comes from a pipe', async () => {
    const { peer, directory: own } = lent();
    const ours = peer.namespace('pipe');
    const { name, digest } = samples.of.two;
    const fifo = join(own, 'fifo');
    await run('mkfifo', [fifo]);
    await Promise.all([exportImages({ source: samples.store, references: [name], output: fifo }), ours.ctr('images', 'import', '--no-unpack', fifo)]);
    expect(await ours.images()).toEqual(new Map([[name, digest]]));
  });
});

describeWith('containerd and its own archives', containerd, (lent) => {
  const selections = (): readonly (readonly [title: string, names: readonly string[], flags: readonly string[], options: object])[] => [
    ['one image', [samples.of.two.name], [], {}],
    ['an image with three names', [samples.of.named.name, ...moreNames], [], {}],
    ['one platform of an index', [samples.of.multi.name], ['--platform', `${here.os}/${here.architecture}`], { platforms: [here] }],
    ['everything', allNames(), ['--all-platforms'], { platforms: 'all' }],
  ];

  it('hold the same entries as ours: names, modes, owners, times and bytes; the two documents mean the same', async () => {
    const { peer, directory: own } = lent();
    const ctr = await filled(peer.namespace('compare'), own);
    for (const [title, names, flags, options] of selections()) {
      const theirs = join(own, `${title}.tar`);
      await ctr.ctr('images', 'export', ...flags, theirs, ...names);
      const [expected, actual] = [await entriesOf(theirs), await entriesOf(await exported(own, samples.store, names, options))];
      expect([...actual.entries.keys()].toSorted(), title).toEqual([...expected.entries.keys()].toSorted());
      for (const [name, entry] of expected.entries) {
        const ourEntry = actual.entries.get(name);
        // The spelling of these two is compared by meaning, below.
        if (name === 'index.json' || name === 'manifest.json') expect(ourEntry, name).toEqual({ ...entry, size: ourEntry?.size, digest: ourEntry?.digest });
        else expect(ourEntry, name).toEqual(entry);
        expect(ourEntry, name).toMatchObject({ owner: '0:0 :', mtime: 0 });
      }
      expect(indexMeaning(actual.json('index.json')), title).toEqual(indexMeaning(expected.json('index.json')));
      expect(meaning(actual.json('manifest.json')), title).toEqual(meaning(expected.json('manifest.json')));
    }
  });

  it('are imported by us, verified, exported again, and ctr takes them back, digests unchanged', async () => {
    const { peer, directory: own } = lent();
    const ctr = await filled(peer.namespace('back'), own);
    for (const [position, [title, names, flags, options]] of selections().entries()) {
      const theirs = join(own, `back-${position}.tar`);
      await ctr.ctr('images', 'export', ...flags, theirs, ...names);
      const store = await imported(own, theirs);
      const digests = new Map(names.map((name) => [name, digestOf(name)]));
      expect(await digestsOf(store), title).toEqual(digests);

      const again = peer.namespace(`again-${position}`);
      await again.ctr('images', 'import', '--no-unpack', ...('platforms' in options && options.platforms === 'all' ? ['--all-platforms'] : []), await exported(own, store, names));
      expect(await again.images(), title).toEqual(digests);
    }
  });

  it('are imported by us from a pipe, with the documents at their end', async () => {
    const { peer, directory: own } = lent();
    const ctr = await filled(peer.namespace('from-pipe'), own);
    const theirs = join(own, 'theirs.tar');
    await ctr.ctr('images', 'export', '--all-platforms', theirs, ...allNames());
    const target = await freshStore(own);
    const archive = await openFile(theirs);
    await importStream(archive.read(), { target });
    await archive.close();
    await expectVerified(target);
    expect(await digestsOf(target)).toEqual(expectedDigests());
  });

  it('may name images without a tag or by digest; the full names stay', async () => {
    const { peer, directory: own } = lent();
    const ctr = await filled(peer.namespace('odd'), own);
    const { name, digest } = samples.of.gzip;
    const byDigest = `docker.io/library/hello@${digest}`;
    for (const odd of ['example.org/tagless', byDigest]) await ctr.ctr('images', 'tag', name, odd);
    const theirs = join(own, 'odd.tar');
    await ctr.ctr('images', 'export', theirs, 'example.org/tagless', byDigest);
    const store = await imported(own, theirs);
    expect(await digestsOf(store)).toEqual(new Map([['example.org/tagless:latest', digest], [byDigest, digest]]));
    const again = peer.namespace('odd-again');
    await again.ctr('images', 'import', '--no-unpack', await exported(own, store, ['example.org/tagless:latest', byDigest]));
    expect(await again.images()).toEqual(await digestsOf(store));
  });

  it('may lack platforms; we import what is there and export it again as it was', async () => {
    const { peer, directory: own } = lent();
    const ctr = await filled(peer.namespace('lacking'), own);
    const { name } = samples.of.multi;
    const theirs = join(own, 'lacking.tar');
    await ctr.ctr('images', 'export', theirs, name);
    const again = await exported(own, await imported(own, theirs), [name]);
    expect([...(await entriesOf(again)).entries.keys()].toSorted()).toEqual([...(await entriesOf(theirs)).entries.keys()].toSorted());
  });
});

describeWith('containerd and the names of an import', containerd, (lent) => {
  /** An archive whose entries have full names, a bare tag, and no name at all. */
  async function oddlyNamed(own: string): Promise<string> {
    const layout = join(own, 'layout');
    const target = await openDirectory(layout, { mayBeNew: true });
    const named = [[samples.of.gzip, 'example.org/app:1'], [samples.of.two, 'example.org/app/sub:2'], [samples.of.zstd, 'example.org/apple:1'], [samples.of.plain, 'v1'], [samples.of.named, null]] as const;
    for (const [{ name: reference }, name] of named) await copyImage({ source: samples.store, target, reference, name });
    const archive = join(own, 'odd.tar');
    await run('tar', ['-cf', archive, '-C', layout, 'oci-layout', 'index.json', 'blobs']);
    return archive;
  }

  it.each<readonly [string, readonly string[], ImportNaming]>([
    ['none', [], {}],
    ['a base', ['--base-name', 'example.org/app'], { baseName: 'example.org/app' }],
    ['an index name', ['--index-name', 'example.org/all:1', '--base-name', 'example.org/app'], { indexName: 'example.org/all:1', baseName: 'example.org/app' }],
  ])('ctr and we give the same images the same names with these flags: %s', async (title, flags, naming) => {
    const { peer, directory: own } = lent();
    const archive = await oddlyNamed(await mkdtemp(join(own, 'names-')));
    const theirs = peer.namespace(`names-${title.replaceAll(' ', '-')}`);
    await theirs.ctr('images', 'import', '--no-unpack', ...flags, archive);
    const today = /^import-\d{4}-\d\d-\d\d:/;
    const expected = [...(await theirs.images())].map(([name, digest]) => [today.test(name) ? `docker.io/library/${name}` : name, digest]);
    expect([...(await digestsOf(await imported(own, archive, naming)))].toSorted()).toEqual(expected.toSorted());
  });

  it('ctr and we name every image by its digest, those without a name too', async () => {
    const { peer, directory: own } = lent();
    const archive = await oddlyNamed(await mkdtemp(join(own, 'digests-')));
    const base = 'example.org/app';
    const theirs = peer.namespace('names-by-digest');
    await theirs.ctr('images', 'import', '--no-unpack', '--digests', '--base-name', base, archive);
    const ours = await digestsOf(await imported(own, archive, { digests: true, baseName: base }));
    // An image that the base leaves out gets no name from us at all, while ctr gives it one by its digest.
    const left = `${base}@${samples.of.zstd.digest}`;
    expect([...ours].toSorted()).toEqual([...(await theirs.images())].filter(([name]) => name !== left).toSorted());
    expect(ours.get(`${base}@${samples.of.named.digest}`)).toBe(samples.of.named.digest);
  });
});

/** A namespace that has all samples, from an archive of ours. */
async function filled(peer: Containerd, own: string): Promise<Containerd> {
  await peer.ctr('images', 'import', '--no-unpack', '--all-platforms', await exported(own, samples.store, allNames()));
  return peer;
}
