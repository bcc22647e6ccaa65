import { annotationKeys, importImages, memoryDriver, pruneStore, removeImage, tagImage, verifyImages } from '@oci-tar/core';
import type { Descriptor, ImageDriver, ImageStore } from '@oci-tar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { addImages, addIndex, linux, listed, memoryStore } from '../support/images.ts';
import { addAttested, addCosign, addReferrer, annotated, sbomType, written } from '../support/referrers.ts';

const [one, two] = ['docker.io/library/one:1', 'docker.io/library/two:1'];

let driver: ImageDriver;
let store: ImageStore;

beforeEach(async () => {
  driver = memoryDriver();
  store = memoryStore(driver);
  await addImages(store, { name: one, layers: [{ one: '1' }] }, { name: two, layers: [{ two: '2' }] });
});

const digestsOf = async () => (await listed(store)).map(({ descriptor }) => descriptor.digest);

async function imageOf(name: string): Promise<Descriptor> {
  return (await store.resolve(name)).descriptor;
}

async function sound(): Promise<void> {
  expect((await verifyImages(store, await listed(store))).problems).toEqual([]);
}

/** Lists a manifest that is in the store under another entry. */
async function list(descriptor: Descriptor, name?: string): Promise<void> {
  await written(store, (session) => session.name(name, { descriptor, role: 'manifest', height: 0, origins: [], read: async function* () {} }));
}

describe('prune of a store that lists referrers', () => {
  it('keeps them as long as their subject has a name', async () => {
    await addReferrer(store, await imageOf(one), { annotated: true });
    await tagImage(store, one, 'again:1');
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ referrers: 0, blobs: 0 });
    expect(await listed(store)).toHaveLength(3);
    await sound();
  });

  it('drops them, their blobs, and what refers to them, when their subject is gone', async () => {
    const subject = await imageOf(one);
    const sbom = await addReferrer(store, subject, { annotated: true, artifactType: sbomType });
    await addReferrer(store, sbom, { annotated: true });
    const kept = await addReferrer(store, await imageOf(two), { annotated: true });
    await removeImage(store, one);
    const planned = await pruneStore(store, { dryRun: true });
    expect(await listed(store)).toHaveLength(4);
    const report = await pruneStore(store);
    // Of the image three blobs, of each referrer the manifest and what it says; all have one config.
    expect(report).toMatchObject({ referrers: 2, blobs: 3 + 2 + 2 });
    expect(planned).toEqual(report);
    expect(await digestsOf()).toEqual([(await imageOf(two)).digest, kept.digest]);
    expect(await pruneStore(store)).toMatchObject({ referrers: 0, blobs: 0 });
    await sound();
  });

  it('drops them, too, when their name moved to another image', async () => {
    await addReferrer(store, await imageOf(one), { annotated: true });
    await tagImage(store, two, one);
    expect(await pruneStore(store)).toMatchObject({ referrers: 1 });
    expect(new Set(await digestsOf())).toEqual(new Set([(await imageOf(two)).digest]));
  });

  it('keeps those of a manifest in an index, also of one that the store does not have', async () => {
    const { images } = await addAttested(store, 'docker.io/library/multi:1', [linux, { os: 'linux', architecture: 'arm64' }]);
    const [first, second] = images;
    if (first === undefined || second === undefined) throw new Error('two images');
    await addReferrer(store, first, { annotated: true });
    await addReferrer(store, second, { annotated: true });
    await driver.remove(`blobs/${second.digest.replace(':', '/')}`);
    expect(await pruneStore(store)).toMatchObject({ referrers: 0 });
    await removeImage(store, 'multi:1');
    expect(await pruneStore(store)).toMatchObject({ referrers: 2 });
    await sound();
  });

  it('drops what cosign keeps beside an image, when it is listed as its referrer', async () => {
    const subject = await imageOf(one);
    const signature = await addCosign(store, subject, 'docker.io/library/one');
    const tag = `docker.io/library/one:${subject.digest.replace(':', '-')}.sig`;
    await removeImage(store, tag);
    await list(annotated(signature, subject), tag);
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ referrers: 1 });
    await expect(store.resolve(tag)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('keeps what only states a subject, what has it under another name, and what is annotated with no digest', async () => {
    const subject = await imageOf(one);
    const states = await addReferrer(store, subject);
    const odd = await addReferrer(store, subject, { unlisted: true, text: 'odd' });
    await list({ ...odd, annotations: { [annotationKeys.manifestSubject]: 'no digest' } });
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ referrers: 0, blobs: 3 });
    expect(new Set(await digestsOf())).toEqual(new Set([(await imageOf(two)).digest, states.digest, odd.digest]));
    await sound();
  });

  it('keeps those of an image that is coming back at this moment', async () => {
    const source = memoryStore();
    await addImages(source, { name: one, layers: [{ one: '1' }] });
    const subject = await imageOf(one);
    await addReferrer(store, subject, { annotated: true });
    await removeImage(store, one);
    let during: object = {};
    await importImages(source, {
      target: {
        name: store.name,
        images: () => store.images(),
        resolve: (reference) => store.resolve(reference),
        open: (blob) => store.open(blob),
        close: () => store.close(),
        async begin() {
          if (store.begin === undefined) throw new Error('read-only');
          const session = await store.begin();
          const { end } = session;
          return Object.assign(session, {
            async end() {
              during = await pruneStore(store);
              await end.call(session);
            },
          });
        },
      },
    });
    expect(during).toMatchObject({ referrers: 0, blobs: 0 });
    expect(await digestsOf()).toContain(subject.digest);
    expect(await listed(store)).toHaveLength(3);
    await sound();
  });

  it('is not hindered by a referrer of nothing that is damaged', async () => {
    const referrer = await addReferrer(store, await imageOf(one), { annotated: true });
    const writer = await driver.writer(`blobs/${referrer.digest.replace(':', '/')}`);
    await writer.write(new TextEncoder().encode('damaged'));
    await writer.commit();
    await expect(pruneStore(store)).rejects.toMatchObject({ message: expect.stringContaining('nothing is pruned') as string });
    await removeImage(store, one);
    expect(await pruneStore(store)).toMatchObject({ referrers: 1 });
    await sound();
  });
});

describe('what is listed without a name', () => {
  it('is removed by its digest, and nothing else is', async () => {
    const { descriptor } = await addIndex(store, 'docker.io/library/multi:1', [linux]);
    await removeImage(store, 'multi:1');
    await list(descriptor);
    await list(await imageOf(one));
    expect(await listed(store)).toHaveLength(4);
    await removeImage(store, descriptor.digest);
    expect(await listed(store)).toHaveLength(3);
    // The same image with its name stays.
    await removeImage(store, (await imageOf(one)).digest);
    expect((await listed(store)).map(({ name }) => name)).toEqual([one, two]);
    await expect(removeImage(store, (await imageOf(one)).digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
