import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyImage, exportImages, importStream, mediaTypes } from '@oci-tar/core';
import type { Content } from '@oci-tar/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Upload } from '../../packages/core/src/stores/containerd/upload.ts';
import { Connection } from '../../packages/core/src/stores/containerd/connection.ts';
import { addIndex, linux, memoryStore } from '../support/images.ts';
import { fakeContainerd, noise, refuse } from './fake.ts';
import type { FakeContainerd } from './fake.ts';
import { addImage, failureOf, listedNames, localImage } from './support.ts';
import { contentOf, oneBlob } from './contents.ts';

const labelsOf = (fake: FakeContainerd, digest: string) => fake.content.find(digest).labels;

describe('a containerd that is written', () => {
  it('gets an image, the labels that keep it, its name at the end, and no lease stays', async () => {
    const { fake, store } = await fakeContainerd();
    const source = memoryStore();
    const { descriptor } = await addIndex(source, 'example.org/multi:1', [linux, { os: 'linux', architecture: 'arm64' }]);
    let namesWhileWriting = 0;
    fake.before = (name) => void (name === 'Content/Write' && (namesWhileWriting = Math.max(namesWhileWriting, fake.images.size)));
    await copyImage({ source, target: store, reference: 'example.org/multi:1' });
    expect(await listedNames(store)).toEqual(['example.org/multi:1']);
    expect(namesWhileWriting).toBe(0);
    const manifests = Object.values(labelsOf(fake, descriptor.digest));
    expect(Object.keys(labelsOf(fake, descriptor.digest))).toEqual(['containerd.io/gc.ref.content.m.0', 'containerd.io/gc.ref.content.m.1']);
    for (const manifest of manifests) {
      expect(Object.keys(labelsOf(fake, manifest)).toSorted()).toEqual(['containerd.io/gc.ref.content.config', 'containerd.io/gc.ref.content.l.0']);
      for (const child of Object.values(labelsOf(fake, manifest))) expect(fake.content.blobs.has(child)).toBe(true);
    }
    expect(fake.leases.size).toBe(0);
    expect(fake.ended).toMatchObject([{ sync: false }]);
  });

  it('is not sent what it has; what lacks its labels gets them, and is held before it is relied on', async () => {
    const { fake, store } = await fakeContainerd();
    const { digest, image } = await addImage(fake, 'docker.io/library/hello:1');
    const { source } = await localImage('docker.io/library/hello:1', 'docker.io/library/hello:1\n');
    fake.images.clear();
    const held: string[] = [];
    fake.before = (name, { resource }) => void (name === 'Leases/AddResource' && held.push(resource.id));
    await copyImage({ source, target: store, reference: 'hello:1' });
    expect(fake.written).toEqual([]);
    expect(held).toHaveLength(3);
    expect(Object.keys(labelsOf(fake, digest)).toSorted()).toEqual(['containerd.io/gc.ref.content.config', 'containerd.io/gc.ref.content.l.0']);
    expect((await store.resolve('hello:1')).descriptor).toEqual(image.descriptor);
  });

  it('moves a name to its new image and keeps the labels that the name has', async () => {
    const { fake, store } = await fakeContainerd({ labels: { mine: 'yes' } });
    await addImage(fake, 'docker.io/library/hello:1', {});
    const record = fake.images.get('docker.io/library/hello:1');
    if (record !== undefined) record.labels = { theirs: 'too' };
    const { source, image } = await localImage('docker.io/library/hello:1', 'another world\n');
    await copyImage({ source, target: store, reference: 'hello:1' });
    expect(fake.images.get('docker.io/library/hello:1')).toMatchObject({ target: { digest: image.descriptor.digest }, labels: { mine: 'yes', theirs: 'too' } });
  });

  it('keeps where an image comes from as labels of its content, and gives it back as annotations', async () => {
    const { fake, store } = await fakeContainerd();
    const { source, image } = await localImage('docker.io/library/hello:1');
    const session = await store.begin();
    for await (const blob of source.blobs?.() ?? []) await session.push(await contentOf(source, { ...blob, mediaType: blob.digest === image.descriptor.digest ? mediaTypes.manifest : mediaTypes.layer }));
    const annotations = { 'containerd.io/distribution.source.docker.io': 'library/hello,me/hello', 'io.containerd.image.name': 'x', other: 'stays' };
    await session.name('docker.io/library/hello:1', { ...(await contentOf(source, image.descriptor)), descriptor: { ...image.descriptor, annotations } });
    await session.end();
    expect(labelsOf(fake, image.descriptor.digest)).toMatchObject({ 'containerd.io/distribution.source.docker.io': 'library/hello,me/hello' });
    expect(fake.images.get('docker.io/library/hello:1')?.target.annotations).toEqual({ other: 'stays' });
    expect((await store.resolve('hello:1')).descriptor.annotations).toEqual({ other: 'stays', 'containerd.io/distribution.source.docker.io': 'library/hello,me/hello' });
  });

  it('takes the images of a pipe', async () => {
    const { fake, store } = await fakeContainerd();
    const { source } = await localImage('docker.io/library/hello:1');
    const directory = mkdtempSync(join(tmpdir(), 'oci-tar-containerd-'));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    await exportImages({ source, references: ['hello:1'], output: join(directory, 'out.tar') });
    await importStream(createReadStream(join(directory, 'out.tar')), { target: store });
    expect(await listedNames(store)).toEqual(['docker.io/library/hello:1']);
    expect(fake.content.blobs.size).toBe(3);
  });
});

describe('an upload', () => {
  it('goes on where an earlier one ended', async () => {
    const { fake, store } = await fakeContainerd();
    const bytes = noise(3_000_000);
    const content = await oneBlob(bytes);
    fake.content.uploads.set(`oci-tar-${content.descriptor.digest}`, bytes.slice(0, 1_234_567));
    let seen = 0;
    const session = await store.begin();
    await session.push(content, { onBytes: (count) => void (seen += count) });
    expect(fake.written.find(({ action }) => action === 'WRITE')).toMatchObject({ offset: 1_234_567 });
    expect(fake.written.reduce((sum, one) => sum + one.bytes, 0)).toBe(3_000_000 - 1_234_567);
    expect(seen).toBe(3_000_000);
    expect(Buffer.from(bytes).equals(fake.content.find(content.descriptor.digest).bytes)).toBe(true);
  });

  it('starts anew where what an earlier one left is not the beginning of the same blob', async () => {
    const { fake, store } = await fakeContainerd();
    const content = await oneBlob(noise(2_000_000));
    fake.content.uploads.set(`oci-tar-${content.descriptor.digest}`, new Uint8Array(1_000_000));
    await (await store.begin()).push(content);
    expect([...fake.content.blobs.keys()]).toEqual([content.descriptor.digest]);
    fake.content.blobs.clear();
    fake.content.uploads.set(`oci-tar-${content.descriptor.digest}`, new Uint8Array(5_000_000));
    await (await store.begin()).push(content);
    expect([...fake.content.blobs.keys()]).toEqual([content.descriptor.digest]);
  });

  it('is done when somebody else has brought the blob, before it began or before it ended', async () => {
    const { fake, store } = await fakeContainerd();
    const bytes = noise(1000);
    const content = await oneBlob(bytes);
    const session = await store.begin();
    await fake.content.add(bytes);
    await session.push(content);
    expect(fake.written.map(({ action }) => action)).toEqual(['STAT']);
    fake.content.blobs.clear();
    fake.before = async (name, { action }) => {
      if (name === 'Content/Write' && action === 'COMMIT') await fake.content.add(bytes);
    };
    await session.push(content);
    const lease = [...fake.leases.values()][0];
    expect([...(lease ?? [])]).toEqual([`content ${content.descriptor.digest}`]);
  });

  it('waits while another one of the same blob gets on, and finds it done', async () => {
    const { fake, store } = await fakeContainerd();
    const bytes = noise(1000);
    const content = await oneBlob(bytes);
    const ref = `oci-tar-${content.descriptor.digest}`;
    fake.content.locked.add(ref);
    let looks = 0;
    fake.before = async (name) => {
      if (name !== 'Content/Status') return;
      looks += 1;
      fake.content.uploads.set(ref, bytes.slice(0, looks * 100));
      if (looks === 3) await fake.content.add(bytes);
    };
    await (await store.begin()).push(content);
    expect(looks).toBe(3);
    expect(fake.written.every(({ action }) => action === 'STAT')).toBe(true);
  });

  it('is made beside another one that stands still', async () => {
    const { fake } = await fakeContainerd();
    const bytes = noise(1000);
    const { descriptor } = await oneBlob(bytes);
    fake.content.locked.add('stuck');
    const connection = await Connection.open(fake.address, 'default');
    onTestFinished(() => connection.close());
    const upload = await Upload.start(connection, { ref: 'stuck', digest: descriptor.digest, size: 1000, standstill: 0 });
    await upload?.write(bytes);
    expect(await upload?.commit(descriptor.digest)).toBe(true);
    expect(fake.content.blobs.has(descriptor.digest)).toBe(true);
    expect(fake.content.locked.has('stuck')).toBe(true);
  });

  it.each([
    ['another digest', noise(1000, 2), 'DIGEST_MISMATCH'],
    ['too few bytes', noise(999), 'SIZE_MISMATCH'],
    ['too many bytes', noise(1001), 'SIZE_MISMATCH'],
  ] as const)('that comes to %s is an error of its source, and nothing of it stays', async (_, sent, code) => {
    const { fake, store } = await fakeContainerd();
    const { descriptor, ...content } = await oneBlob(noise(1000));
    const wrong: Content = { ...content, descriptor, read: async function* () { yield sent; } };
    const session = await store.begin();
    expect(await failureOf(session.push(wrong))).toMatchObject({ code, details: { side: 'source' } });
    expect([fake.content.blobs.size, fake.content.uploads.size]).toEqual([0, 0]);
  });

  it('sends at most four messages that are not answered yet, of 4 MiB at most', async () => {
    const { fake, store } = await fakeContainerd();
    const content = await oneBlob(new Uint8Array(24 * 1024 * 1024));
    let [taken, release] = [0, () => {}];
    const held = new Promise<void>((done) => (release = done));
    fake.before = async (name, { action }) => {
      if (name === 'Content/Write' && action === 'WRITE' && (taken += 1) === 1) await held;
    };
    let offered = 0;
    const reading: Content = { ...content, read: async function* () {
      for (let at = 0; at < 24; at += 1) {
        offered += 1;
        yield new Uint8Array(1024 * 1024);
      }
    } };
    const pushed = (await store.begin()).push(reading);
    while (taken === 0) await new Promise((done) => setTimeout(done, 5));
    // Longer than it takes to offer all of it, if nothing held it back.
    await new Promise((done) => setTimeout(done, 100));
    expect(offered).toBeLessThanOrEqual(6);
    release();
    await pushed;
    expect(Math.max(...fake.written.map(({ bytes }) => bytes))).toBeLessThanOrEqual(4 * 1024 * 1024);
  });

  it('of what cannot be kept is refused: another algorithm', async () => {
    const { store } = await fakeContainerd();
    const content = await oneBlob(noise(10));
    const session = await store.begin();
    const other: Content = { ...content, descriptor: { ...content.descriptor, digest: `sha512:${'0'.repeat(128)}` } };
    expect(await failureOf(session.push(other))).toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('whose answer makes no sense is ENGINE', async () => {
    const { fake, store } = await fakeContainerd();
    const content = await oneBlob(noise(10));
    const take = fake.content.take.bind(fake.content);
    fake.content.take = async (request) => ({ ...(await take(request)), offset: 11 });
    expect(await failureOf((await store.begin()).push(content))).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('11') });
  });
});

describe('a write that does not end well', () => {
  it('leaves no name, no upload and no lease', async () => {
    const { fake, store } = await fakeContainerd();
    const { source } = await localImage('docker.io/library/hello:1');
    fake.before = (name, { action, total }) => void (name === 'Content/Write' && action === 'COMMIT' && total > 1000 && refuse(13, 'broken'));
    expect(await failureOf(copyImage({ source, target: store, reference: 'hello:1' }))).toMatchObject({ code: 'ENGINE' });
    expect([fake.images.size, fake.content.uploads.size, fake.leases.size]).toEqual([0, 0, 0]);
    // Synchronous, so that what nothing refers to is gone when the error is told.
    expect(fake.ended).toMatchObject([{ sync: true }]);
  });

  it('because containerd goes away says so, and does not hang', async () => {
    const { fake, store } = await fakeContainerd();
    const { source } = await localImage('docker.io/library/hello:1');
    fake.before = (name, { action }) => void (name === 'Content/Write' && action === 'WRITE' && fake.die());
    expect(await failureOf(copyImage({ source, target: store, reference: 'hello:1' }))).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('went away') });
  });

  it('because of an abort ends with its reason, also while an answer is awaited', async () => {
    const { fake, store } = await fakeContainerd();
    const { source } = await localImage('docker.io/library/hello:1');
    const stop = new AbortController();
    fake.before = async (name, { action }) => {
      if (name !== 'Content/Write' || action !== 'WRITE') return;
      stop.abort(new Error('enough'));
      await new Promise(() => {});
    };
    await expect(copyImage({ source, target: store, reference: 'hello:1', signal: stop.signal })).rejects.toThrow('enough');
    expect([fake.images.size, fake.content.uploads.size, fake.leases.size]).toEqual([0, 0, 0]);
  });

  it('as an image has no name is INVALID_ARGUMENT', async () => {
    const { fake, store } = await fakeContainerd();
    const { source } = await localImage('docker.io/library/hello:1');
    expect(await failureOf(copyImage({ source, target: store, reference: 'hello:1', name: null }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(fake.leases.size).toBe(0);
  });

  it('as the namespace is none: one with a dot is not made by the way, any other is, and that of Kubernetes', async () => {
    const { source } = await localImage('docker.io/library/hello:1');
    const dotted = await fakeContainerd({ namespace: 'my.team' });
    expect(await failureOf(copyImage({ source, target: dotted.store, reference: 'hello:1' }))).toMatchObject({ code: 'NOT_FOUND', details: { side: 'target' } });
    dotted.fake.namespaces.add('my.team');
    await copyImage({ source, target: dotted.store, reference: 'hello:1' });
    for (const namespace of ['mine', 'k8s.io']) {
      const { fake, store } = await fakeContainerd({ namespace });
      await copyImage({ source, target: store, reference: 'hello:1' });
      expect(fake.namespaces).toContain(namespace);
    }
  });
});
