import { exportImages, readBlob, verifyImages } from '@oci-tar/core';
import type { Descriptor } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { MemorySink } from '../support/sinks.ts';
import { fakeContainerd, noise, pieces, refuse } from './fake.ts';
import { addImage, collectBytes, failureOf, listedNames, manifestType } from './support.ts';

const layer = (digest: Descriptor['digest'], size: number): Descriptor => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size });

describe('a containerd that is read', () => {
  it('lists its images by name, with the sources that the labels of their content tell', async () => {
    const { fake, store } = await fakeContainerd();
    const { digest } = await addImage(fake, 'docker.io/library/hello:1', { 'containerd.io/distribution.source.docker.io': 'library/hello', other: 'label' });
    await addImage(fake, 'sha256:0000');
    expect(await listedNames(store)).toEqual(['docker.io/library/hello:1', 'sha256:0000']);
    expect((await store.resolve('docker.io/library/hello:1')).descriptor).toEqual({
      mediaType: manifestType,
      digest,
      size: fake.content.find(digest).bytes.byteLength,
      annotations: { 'containerd.io/distribution.source.docker.io': 'library/hello' },
    });
  });

  it('finds an image by its short name, by its digest, and by a tag that only one has', async () => {
    const { fake, store } = await fakeContainerd();
    const { digest } = await addImage(fake, 'docker.io/library/hello:1');
    for (const [reference, name] of [['hello:1', 'docker.io/library/hello:1'], [digest, 'docker.io/library/hello:1'], [`hello@${digest}`, `docker.io/library/hello@${digest}`]] as const) {
      expect(await store.resolve(reference), reference).toMatchObject({ name, descriptor: { digest } });
    }
  });

  it('says which name is near when there is no such image, and that a namespace does not exist', async () => {
    const { fake, store } = await fakeContainerd();
    await addImage(fake, 'docker.io/library/hello:1');
    expect(await failureOf(store.resolve('helo:1'))).toMatchObject({ code: 'NOT_FOUND', hint: 'Did you mean hello:1?' });
    const other = await fakeContainerd({ namespace: 'ghcr.io' });
    expect(await failureOf(other.store.resolve('some.user/app:1'))).toMatchObject({ code: 'NOT_FOUND', message: 'containerd has no namespace ghcr.io', hint: expect.stringContaining('containerd:/ghcr.io/some.user/app:1') });
  });

  it('gives a blob whole, in ranges, and nothing of an empty range', async () => {
    const { fake, store } = await fakeContainerd();
    const bytes = noise(300_000);
    const source = await store.open(layer(await digestIn(fake, bytes), bytes.byteLength));
    expect((await collectBytes(source.read())).equals(bytes)).toBe(true);
    expect((await collectBytes(source.read(65_000, 131_073))).equals(bytes.subarray(65_000, 131_073))).toBe(true);
    const before = fake.calls.length;
    expect(await collectBytes(source.read(7, 7))).toHaveLength(0);
    expect(fake.calls).toHaveLength(before);
  });

  it('is told apart by what it answers: no such blob, another size', async () => {
    const { fake, store } = await fakeContainerd();
    const digest = await digestIn(fake, noise(10));
    expect(await failureOf(store.open(layer(`sha256:${'0'.repeat(64)}`, 10)))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await failureOf(store.open(layer(digest, 11)))).toMatchObject({ code: 'SIZE_MISMATCH', details: { expected: 11, actual: 10 } });
  });

  it.each([
    ['at a wrong offset', 'ENGINE', (bytes: Uint8Array, start: number) => pieces(bytes, start + 1)],
    ['with less than there is', 'SIZE_MISMATCH', (bytes: Uint8Array, start: number) => pieces(bytes.subarray(1), start)],
    ['with more than there is', 'SIZE_MISMATCH', (bytes: Uint8Array, start: number) => pieces(Buffer.concat([bytes, bytes]), start)],
  ] as const)('is not believed when it answers %s', async (_, code, reading) => {
    const { fake, store } = await fakeContainerd();
    const bytes = noise(200_000);
    const source = await store.open(layer(await digestIn(fake, bytes), bytes.byteLength));
    fake.reading = reading;
    expect(await failureOf(collectBytes(source.read()))).toMatchObject({ code });
  });

  it('is not believed when a blob has other bytes', async () => {
    const { fake, store } = await fakeContainerd();
    const { layers, image } = await addImage(fake, 'docker.io/library/hello:1');
    const [damaged = ''] = layers;
    fake.content.find(damaged).bytes.fill(1, 700, 701);
    const sink = new MemorySink();
    expect(await failureOf(exportImages({ source: store, references: ['hello:1'], output: sink }))).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(sink.ended).toBe('aborted');
    expect((await verifyImages(store, [image])).problems).toMatchObject([{ code: 'DIGEST_MISMATCH' }]);
    expect(await store.discardDamaged?.({ digest: image.descriptor.digest })).toBe(false);
    expect(fake.content.blobs.has(damaged)).toBe(true);
  });

  it('that goes away in the middle of a blob is an error that says so', async () => {
    const { fake, store } = await fakeContainerd();
    const bytes = noise(2_000_000);
    const source = await store.open(layer(await digestIn(fake, bytes), bytes.byteLength));
    let pieceCount = 0;
    fake.before = (name) => {
      if (name === 'Content/Read/piece' && (pieceCount += 1) === 8) fake.die();
    };
    expect(await failureOf(collectBytes(source.read()))).toMatchObject({ code: 'ENGINE', message: expect.stringContaining('went away'), hint: expect.any(String) });
  });

  it('is told to stop when nobody reads any further, and sends no more than fits on the way', async () => {
    const { fake, store } = await fakeContainerd();
    const bytes = new Uint8Array(64 * 1024 * 1024);
    const source = await store.open(layer(await digestIn(fake, bytes), bytes.byteLength));
    let sent = 0;
    fake.before = (name) => void (name === 'Content/Read/piece' && (sent += 1));
    const stopped = new Promise<void>((done) => {
      const look = () => (fake.cancelled > 0 ? done() : void setTimeout(look, 5));
      look();
    });
    for await (const chunk of source.read()) if (chunk.byteLength > 0) break;
    await stopped;
    // 64 KiB each: the window of the connection and what the sockets hold, but not the blob.
    expect(sent).toBeLessThan(512);
  });

  it.each([
    [7, 'permission denied', 'FORBIDDEN'],
    [12, 'unknown service', 'UNSUPPORTED'],
    [8, 'too much', 'LIMIT_EXCEEDED'],
    [13, 'broken', 'ENGINE'],
    [2, 'no space left on device', 'NO_SPACE'],
  ])('that refuses with status %i, "%s", is %s', async (status, details, code) => {
    const { fake, store } = await fakeContainerd();
    fake.before = () => refuse(status, details);
    expect(await failureOf(listedNames(store))).toMatchObject({ code, message: expect.stringContaining(details) });
  });

  it('ends with the reason of the abort', async () => {
    const stop = new AbortController();
    const { fake, store } = await fakeContainerd({ signal: stop.signal });
    const { image } = await addImage(fake, 'docker.io/library/hello:1');
    fake.before = () => stop.abort(new Error('enough'));
    await expect(readBlob(store, image.descriptor)).rejects.toThrow('enough');
    await expect(listedNames(store)).rejects.toThrow('enough');
  });

  it('finds referrers by the labels of their subject', async () => {
    const { fake, store } = await fakeContainerd();
    const { image, digest } = await addImage(fake, 'docker.io/library/hello:1');
    const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: await digestIn(fake, new TextEncoder().encode('{}')), size: 2 };
    const { annotations: _, ...subject } = image.descriptor;
    const signature = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, artifactType: 'application/example', config: empty, layers: [empty], subject }));
    const signed = await digestIn(fake, signature);
    const stranger = await addImage(fake, 'docker.io/library/other:1');
    Object.assign(fake.content.find(digest).labels, {
      'containerd.io/gc.ref.content.referrer.sha256.a': signed,
      'containerd.io/gc.ref.content.referrer.sha256.b': stranger.digest,
      'containerd.io/gc.ref.content.referrer.sha256.c': `sha256:${'0'.repeat(64)}`,
      'containerd.io/gc.ref.content.referrer.sha256.d': 'no digest',
    });
    const found: Descriptor[] = [];
    for await (const referrer of store.referrers?.(image.descriptor) ?? []) found.push(referrer);
    expect(found).toEqual([{ mediaType: manifestType, digest: signed, size: signature.byteLength, artifactType: 'application/example' }]);
  });
});

function digestIn(fake: Awaited<ReturnType<typeof fakeContainerd>>['fake'], bytes: Uint8Array): Promise<Descriptor['digest']> {
  return fake.content.add(bytes);
}
