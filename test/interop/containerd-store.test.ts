import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codecByName, containerdStore, copyImage, createImage, exportImages, importImages, openArchive, verifyImages } from '@oci-tar/core';
import type { ContainerdOptions, ContainerdStore } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Connection } from '../../packages/core/src/stores/containerd/connection.ts';
import { writeAnswer } from '../../packages/core/src/stores/containerd/messages.ts';
import { listed } from '../support/images.ts';
import { noise } from '../containerd/fake.ts';
import { failureOf } from '../containerd/support.ts';
import { contentOf, oneBlob } from '../containerd/contents.ts';
import { digestsOf, entriesOf, exported, freshStore, temporaryDirectory } from './files.ts';
import { here, makeSamples, moreNames, sampleKeys } from './images.ts';
import type { Samples } from './images.ts';
import { containerd } from './peers/containerd.ts';
import { describeWith } from './peers/peer.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const allNames = () => [...sampleKeys.map((key) => samples.of[key].name), ...moreNames];
const expectedDigests = () => new Map([...sampleKeys.map((key) => [samples.of[key].name, samples.of[key].digest] as const), ...moreNames.map((name) => [name, samples.of.named.digest] as const)]);

/** Where the peer's socket is, below the suite's own directory. */
const socketIn = (own: string) => join(own, 'containerd', 'socket');

async function onStore<T>(own: string, namespace: string, work: (store: ContainerdStore) => Promise<T>, options: ContainerdOptions = {}): Promise<T> {
  const store = await containerdStore({ address: socketIn(own), namespace, ...options });
  return work(store).finally(() => store.close());
}

/** Moves the images of an archive into a namespace with our own import. */
async function importInto(own: string, namespace: string, archive: string, options: ContainerdOptions = {}): Promise<void> {
  const source = await openArchive(archive);
  await onStore(own, namespace, (target) => importImages(source, { target, platforms: 'all' }), options).finally(() => source.close());
}

describeWith('containerd as a store', containerd, (lent) => {
  it('is read as ctr reads it: its version, its names, and archives with the same entries', async () => {
    const { peer, directory: own } = lent();
    const ours = peer.namespace('read');
    await ours.ctr('images', 'import', '--no-unpack', '--all-platforms', await exported(own, samples.store, allNames()));
    await onStore(own, 'read', async (store) => {
      expect(await ours.ctr('version')).toContain(await store.version());
      expect(await digestsOf(store)).toEqual(expectedDigests());
      for (const [names, flags, options] of [
        [[samples.of.two.name], [], {}],
        [[samples.of.multi.name], ['--platform', `${here.os}/${here.architecture}`], { platforms: [here] }],
        [allNames(), ['--all-platforms'], { platforms: 'all' }],
      ] as const) {
        const theirs = join(await mkdtemp(join(own, 'theirs-')), 'out.tar');
        await ours.ctr('images', 'export', ...flags, theirs, ...names);
        const [expected, actual] = [await entriesOf(theirs), await entriesOf(await exported(own, store, names, options))];
        const documents = ['index.json', 'manifest.json'];
        const blobs = ({ entries }: typeof expected) => [...entries].filter(([name]) => !documents.includes(name)).toSorted();
        expect(blobs(actual)).toEqual(blobs(expected));
        expect(entriesIn(actual.json('index.json'))).toEqual(entriesIn(expected.json('index.json')));
      }
    });
  });

  it('is written as ctr writes it: names, whole images, labels that keep them from the collector', async () => {
    const { peer, directory: own } = lent();
    const archive = await exported(own, samples.store, allNames());
    await importInto(own, 'written', archive);
    const [ours, theirs] = [peer.namespace('written'), peer.namespace('theirs')];
    await theirs.ctr('images', 'import', '--no-unpack', '--all-platforms', archive);
    expect(await ours.images()).toEqual(await theirs.images());
    // A removal with --sync waits for a collection; everything else has to survive it.
    for (const peer of [ours, theirs]) await peer.ctr('images', 'rm', '--sync', samples.of.gzip.name);
    const labels = (text: string) => text.trim().split('\n').slice(1).map((line) => line.split('\t').filter((cell) => cell !== '')).map(([digest, , , labels = '-']) => [digest, labels.split(',').toSorted()]).toSorted();
    expect(labels(await ours.ctr('content', 'ls'))).toEqual(labels(await theirs.ctr('content', 'ls')));
    expect(await ours.ctr('images', 'check', '--snapshotter', 'native')).not.toContain('incomplete');
    expect(await ours.ctr('leases', 'ls', '-q')).toBe('');
    await onStore(own, 'written', async (store) => expect((await verifyImages(store, await listed(store))).problems).toEqual([]));
  });

  it('loses nothing to a collection in the middle of a write, and nothing stays of one that is given up', async () => {
    const { peer, directory: own } = lent();
    const ours = peer.namespace('collected');
    const collect = async () => {
      await ours.ctr('images', 'import', '--no-unpack', await exported(own, samples.store, [samples.of.two.name]));
      await ours.ctr('images', 'rm', '--sync', samples.of.two.name);
    };
    await onStore(own, 'collected', async (store) => {
      const source = samples.store;
      const { descriptor } = await source.resolve(samples.of.gzip.name);
      const report = await copyImage({ source, target: store, reference: samples.of.gzip.name });
      await ours.ctr('images', 'rm', samples.of.gzip.name);
      await collect();
      expect((await ours.ctr('content', 'ls', '-q')).trim()).toBe('');

      const blobs = (await verifyImages(source, [{ descriptor }])).blobs;
      expect(report.blobs).toBe(blobs);
      const kept = await oneBlob(noise(100_000));
      const session = await store.begin();
      await session.push(kept);
      await collect();
      expect(await session.has(kept.descriptor)).toBe(true);
      await session.abort();
      expect((await ours.ctr('content', 'ls', '-q')).trim()).toBe('');
      expect(await ours.ctr('leases', 'ls', '-q')).toBe('');
    });
  });

  it('refuses bytes that are not those of their digest, and goes on from what is left of an upload', async () => {
    const { peer, directory: own } = lent();
    await onStore(own, 'refused', async (store) => {
      const bytes = noise(3_000_000);
      const right = await oneBlob(bytes);
      const session = await store.begin();
      const wrong = { ...right, read: () => cutShort(bytes, 3_000_000, 1) };
      expect(await failureOf(session.push(wrong))).toMatchObject({ code: 'DIGEST_MISMATCH', details: { side: 'source', expected: right.descriptor.digest } });
      // The same ref as ours, left in the middle by somebody who is gone.
      const ref = `oci-tar-${right.descriptor.digest}`;
      const connection = await Connection.open(socketIn(own), 'refused');
      const left = connection.exchange('Content/Write', writeAnswer);
      left.send({ action: 'STAT', ref, total: bytes.byteLength, expected: right.descriptor.digest });
      await left.receive();
      left.send({ action: 'WRITE', ref, offset: 0, data: bytes.subarray(0, 2_000_000) });
      expect(await left.receive()).toMatchObject({ offset: 2_000_000 });
      left.close();
      connection.close();
      let seen = 0;
      await session.push(right, { onBytes: (count) => void (seen += count) });
      expect(seen).toBe(bytes.byteLength);
      expect(await session.has(right.descriptor)).toBe(true);
      await session.abort();
    });
    // Only the heading.
    expect((await peer.namespace('refused').ctr('content', 'active')).trim().split('\n')).toHaveLength(1);
  });

  it('takes from another namespace what that has, and says where an image comes from', async () => {
    const { peer, directory: own } = lent();
    const { name, digest } = samples.of.zstd;
    await importInto(own, 'first', await exported(own, samples.store, [name]));
    const annotations = { 'containerd.io/distribution.source.example.org': 'team/app' };
    await onStore(own, 'second', async (store) => {
      await copyImage({ source: samples.store, target: store, reference: name });
      const session = await store.begin();
      const { descriptor } = await store.resolve(name);
      await session.name(name, { ...(await contentOf(store, descriptor)), descriptor: { ...descriptor, annotations } });
      await session.end();
      expect((await store.resolve(name)).descriptor).toMatchObject({ digest, annotations });
    });
    expect(await peer.namespace('second').ctr('content', 'ls')).toContain('containerd.io/distribution.source.example.org=team/app');
  });

  it('unpacks, so that ctr finds the image unpacked and a container starts from it', async ({ skip }) => {
    const { peer, directory: own } = lent();
    const ours = peer.namespace('unpacked');
    // A program that needs nothing beside it, on every Debian.
    const program = '/sbin/ldconfig';
    const root = join(own, 'rootfs');
    await mkdir(root);
    await copyFile(program, join(root, 'program')).catch(() => skip(true, `there is no ${program}`));
    await chmod(join(root, 'program'), 0o755);
    const local = await freshStore(own);
    await createImage({ target: local, name: 'example.org/run:1', layers: [root], codec: codecByName('gzip'), platform: here });
    const { name } = samples.of.two;
    await onStore(
      own,
      'unpacked',
      async (target) => {
        await copyImage({ source: local, target, reference: 'example.org/run:1' });
        await copyImage({ source: samples.store, target, reference: name });
        await copyImage({ source: samples.store, target, reference: samples.of.multi.name });
      },
      { unpack: { snapshotter: 'native', platforms: [here] } },
    );
    const check = await ours.ctr('images', 'check', '--snapshotter', 'native');
    expect(check.trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/).at(-1))).toEqual(['true', 'true', 'true']);
    await ours.ctr('images', 'rm', '--sync', name);
    expect((await ours.ctr('images', 'check', '--snapshotter', 'native', 'name==example.org/run:1')).trim()).toMatch(/true$/);
    expect(await ours.ctr('run', '--rm', '--snapshotter', 'native', 'example.org/run:1', 'ours', '/program', '--version')).toContain('ldconfig');
  });

  it('that is stopped in the middle of an export leaves no archive', async () => {
    const { directory: own } = lent();
    await importInto(own, 'stopped', await exported(own, samples.store, [samples.of.two.name]));
    await onStore(own, 'stopped', async (store) => {
      const stop = new AbortController();
      const output = join(await mkdtemp(join(own, 'stopped-')), 'out.tar');
      const work = exportImages({ source: store, references: [samples.of.two.name], output, signal: stop.signal, onEvent: (event) => void (event.type === 'bytes' && stop.abort(new Error('enough'))) });
      await expect(work).rejects.toThrow('enough');
      await expect(openArchive(output)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
});

function entriesIn(index: unknown): unknown {
  const { manifests } = index as { readonly manifests: readonly unknown[] };
  return manifests.map((entry) => JSON.stringify(entry)).toSorted().map((text) => JSON.parse(text) as unknown);
}

/** The same bytes with one of them changed. */
async function* cutShort(bytes: Uint8Array, size: number, change: number): AsyncGenerator<Uint8Array, void, void> {
  const copy = bytes.slice(0, size);
  copy[size - 1] = (copy[size - 1] ?? 0) ^ change;
  yield copy;
}
