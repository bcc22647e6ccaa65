import { annotationKeys, digestBytes, isOciTarError, makePlan, mediaTypes, memoryDriver, referrerTrees } from '@oci-tar/core';
import type { Descriptor, Digest, ImageDriver, ImageStore, NamedImage } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { withoutReferrers } from '../../packages/core/src/image/referrers.ts';
import { addImages, addIndex, linux, listed, memoryStore, pushJson } from '../support/images.ts';
import { addAttested, addCosign, addList, addReferrer, annotated, referrersOf, sbomType, signatureType, written } from '../support/referrers.ts';

const repository = 'docker.io/library/hello';
const arm = { os: 'linux', architecture: 'arm64' };

interface Setting {
  readonly driver: ImageDriver;
  readonly store: ImageStore;
  readonly image: NamedImage;
  readonly root: Descriptor;
}

async function setting(): Promise<Setting> {
  const driver = memoryDriver();
  const store = memoryStore(driver);
  const [image] = await addImages(store, { name: `${repository}:1` });
  if (image === undefined) throw new Error('no image');
  return { driver, store, image, root: image.descriptor };
}

/** Replaces a blob by other bytes, of the same length when none are given, or removes it. */
async function damage(driver: ImageDriver, digest: Digest, bytes: Uint8Array | undefined): Promise<void> {
  const path = `blobs/${digest.replace(':', '/')}`;
  await driver.remove(path);
  if (bytes === undefined) return;
  const writer = await driver.writer(path);
  await writer.write(bytes);
  await writer.commit();
}

const digestsIn = (images: readonly { readonly digest: string }[]) => images.map(({ digest }) => digest).toSorted();

describe('the referrers of an image in a layout', () => {
  it('are those whose manifests state it as their subject, with type and annotations, sorted by digest', async () => {
    const { store, root } = await setting();
    const annotations = { [annotationKeys.created]: '2026-11-22T12:00:00Z' };
    const sbom = await addReferrer(store, root, { artifactType: sbomType, annotations });
    const signature = await addReferrer(store, root);
    const [other] = await addImages(store, { name: 'other:1', layers: [{ other: 'o' }] });
    await addReferrer(store, other?.descriptor ?? root);
    const found = await referrersOf(store, root);
    expect(found.map(({ digest }) => digest)).toEqual(digestsIn([sbom, signature]));
    expect(found.find(({ digest }) => digest === sbom.digest)).toEqual({ ...sbom, artifactType: sbomType, annotations });
    expect(found.find(({ digest }) => digest === signature.digest)).toEqual({ ...signature, artifactType: signatureType });
  });

  it('take the type of the config where the manifest has none', async () => {
    const { store, root } = await setting();
    await addReferrer(store, root, { changes: { artifactType: undefined } });
    expect(await referrersOf(store, root)).toMatchObject([{ artifactType: mediaTypes.empty }]);
  });

  it('may be indexes', async () => {
    const { store, root } = await setting();
    const part = await addReferrer(store, root, { unlisted: true });
    const index = await written(store, async (session) => {
      const made = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, artifactType: sbomType, manifests: [part], subject: root });
      await session.name(undefined, made);
      return made.descriptor;
    });
    expect(await referrersOf(store, root)).toEqual([{ ...index, artifactType: sbomType }]);
  });

  it("are also found by their entry's annotation, by the tag schema, and by cosign's tags in any repository or none", async () => {
    const { store, root } = await setting();
    const byAnnotation = await written(store, async (session) => {
      const made = await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, config: { mediaType: mediaTypes.empty, digest: await digestBytes(new TextEncoder().encode('{}')), size: 2, data: 'e30=' }, layers: [] });
      await session.name(undefined, { ...made, descriptor: annotated(made.descriptor, root) });
      return made.descriptor;
    });
    const inList = await addReferrer(store, root, { unlisted: true });
    await addList(store, root, [inList], 'example.org/elsewhere');
    const cosign = [await addCosign(store, root, repository), await addCosign(store, root, '', '.att'), await addCosign(store, root, 'example.org:5000/x', '.sbom')];
    expect((await referrersOf(store, root)).map(({ digest }) => digest)).toEqual(digestsIn([byAnnotation, inList, ...cosign]));
  });

  it('are given once, by however many ways they are found', async () => {
    const { store, root } = await setting();
    const signature = await addReferrer(store, root, { annotated: true });
    await addList(store, root, [signature], repository);
    expect(await referrersOf(store, root)).toMatchObject([{ digest: signature.digest }]);
  });

  it('are not those that a list, a tag or an annotation claims, when they state another subject', async () => {
    const { store, root } = await setting();
    const [other] = await addImages(store, { name: 'other:1', layers: [{ other: 'o' }] });
    if (other === undefined) throw new Error('no image');
    const stranger = await addReferrer(store, other.descriptor);
    await addList(store, root, [stranger], repository);
    await written(store, async (session) => session.name(undefined, { descriptor: annotated(stranger, root), role: 'manifest', height: 0, origins: [], read: async function* () {} }));
    expect(await referrersOf(store, root)).toEqual([]);
    expect(await referrersOf(store, other.descriptor)).toMatchObject([{ digest: stranger.digest }]);
  });

  it('may be about what is not there: the link is weak', async () => {
    const { store } = await setting();
    const gone: Descriptor = { mediaType: mediaTypes.manifest, digest: `sha256:${'a'.repeat(64)}`, size: 7 };
    const signature = await addReferrer(store, gone);
    expect(await referrersOf(store, gone)).toMatchObject([{ digest: signature.digest }]);
  });

  it('see one state of the layout in calls with one view, and the latest without', async () => {
    const { store, root } = await setting();
    const view = {};
    const counted = async (options: { readonly view?: object }) => {
      let count = 0;
      for await (const referrer of store.referrers?.(root, options) ?? []) if (referrer.size > 0) count += 1;
      return count;
    };
    expect(await counted({ view })).toBe(0);
    await addReferrer(store, root);
    expect(await counted({ view })).toBe(0);
    expect(await counted({})).toBe(1);
  });
});

describe('a referrer that is wrong', () => {
  it('about the size of its subject is refused, with its name', async () => {
    const { store, root } = await setting();
    const liar = await addReferrer(store, { ...root, size: root.size + 1 });
    await expect(referrersOf(store, root)).rejects.toMatchObject({ code: 'SIZE_MISMATCH', details: { subject: liar.digest, expected: root.size, actual: root.size + 1 } });
  });

  it('in the digest of its subject is refused, with its name', async () => {
    for (const digest of ['sha256:../../../etc/passwd', 'sha256:ABC', 'nothing']) {
      const { store, root } = await setting();
      const bad = await addReferrer(store, root, { changes: { subject: { ...root, digest } } });
      await expect(referrersOf(store, root)).rejects.toMatchObject({ code: 'INVALID_MANIFEST', message: expect.stringContaining('subject') as string, details: { subject: bad.digest } });
    }
  });

  it('in the annotation of its entry is refused, with its name', async () => {
    const { store, root } = await setting();
    const bad = await addReferrer(store, root, { unlisted: true });
    const entry = { ...bad, annotations: { [annotationKeys.manifestSubject]: 'sha256:../x' } };
    await written(store, async (session) => session.name(undefined, { descriptor: entry, role: 'manifest', height: 0, origins: [], read: async function* () {} }));
    await expect(referrersOf(store, root)).rejects.toMatchObject({ code: 'INVALID_DIGEST', details: { subject: bad.digest } });
  });

  it('in its bytes is refused, with its name', async () => {
    const { driver, store, root } = await setting();
    const signature = await addReferrer(store, root);
    await damage(driver, signature.digest, new Uint8Array(signature.size));
    await expect(referrersOf(store, root)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', details: { subject: signature.digest } });
    await damage(driver, signature.digest, new Uint8Array(3));
    await expect(referrersOf(store, root)).rejects.toMatchObject({ code: 'SIZE_MISMATCH', details: { subject: signature.digest } });
  });

  it('by being absent is told where its entry says what it refers to, and fails a plan by name', async () => {
    const { driver, store, root, image } = await setting();
    const signature = await addReferrer(store, root, { annotated: true });
    await damage(driver, signature.digest, undefined);
    expect(await referrersOf(store, root)).toEqual([signature]);
    await expect(makePlan(store, [image], { referrers: true })).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringMatching(`referrer ${signature.digest} of ${root.digest}`) as string });
  });

  it('by lacking a blob fails a plan by name', async () => {
    const { driver, store, root, image } = await setting();
    const text = 'the signature';
    const signature = await addReferrer(store, root, { text });
    const blob = await digestBytes(new TextEncoder().encode(text));
    await damage(driver, blob, undefined);
    const failed = await makePlan(store, [image], { referrers: true }).catch((error: unknown) => error);
    expect(isOciTarError(failed, 'NOT_FOUND') && failed.message.includes(signature.digest) && failed.message.includes(blob)).toBe(true);
  });
});

describe('a plan', () => {
  it('leaves referrers out unless it is asked for them', async () => {
    const { store, root, image } = await setting();
    await addReferrer(store, root);
    const plan = await makePlan(store, [image]);
    expect(plan.referrers).toEqual([]);
    expect(plan.contents.size).toBe(3);
  });

  it('takes the referrers of the index, of each manifest that moves, and theirs, with everything they are made of', async () => {
    const store = memoryStore();
    const { index, images } = await addAttested(store, `${repository}:1`, [linux, arm]);
    const [amd64, arm64] = images;
    if (amd64 === undefined || arm64 === undefined) throw new Error('no images');
    const ofIndex = await addReferrer(store, index);
    const sbom = await addReferrer(store, amd64, { artifactType: sbomType });
    const ofSbom = await addReferrer(store, sbom);
    const ofArm = await addReferrer(store, arm64);
    const image = await store.resolve('hello:1');
    const all = await makePlan(store, [image], { referrers: true });
    expect(all.referrers.map(({ descriptor }) => descriptor.digest)).toEqual(digestsIn([ofIndex, sbom, ofSbom, ofArm]));
    expect(all.referrers.find(({ descriptor }) => descriptor.digest === ofSbom.digest)).toEqual({ descriptor: annotated(ofSbom, sbom) });
    expect(all.size).toBe([...all.contents.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0));
    const one = await makePlan(store, [image], { referrers: true, platforms: [linux] });
    expect(one.referrers.map(({ descriptor }) => descriptor.digest)).toEqual(digestsIn([ofIndex, sbom, ofSbom]));
    expect(one.contents.has(ofArm.digest)).toBe(false);
  });

  it('keeps tags that are made of a digest, in the repository of the image, and lists what they list only there', async () => {
    const { store, root } = await setting();
    const signature = await addCosign(store, root, repository);
    const inList = await addReferrer(store, root);
    const list = await addList(store, root, [inList], repository);
    const tag = root.digest.replace(':', '-');
    const planned = async (name: string | undefined) => (await makePlan(store, [name === undefined ? { descriptor: root } : { name, descriptor: root }], { referrers: true })).referrers;
    const names = async (name: string | undefined) => Object.fromEntries((await planned(name)).map((referrer) => [referrer.descriptor.digest, referrer.name]));
    expect(await names(`${repository}:1`)).toEqual({ [signature.digest]: `${repository}:${tag}.sig`, [list.digest]: `${repository}:${tag}` });
    expect(await names('example.org/renamed:2')).toEqual({ [signature.digest]: `example.org/renamed:${tag}.sig`, [list.digest]: `example.org/renamed:${tag}` });
    expect(await names('v1')).toEqual({ [signature.digest]: `${tag}.sig`, [list.digest]: tag });
    expect(await names(undefined)).toEqual({ [signature.digest]: `${tag}.sig`, [list.digest]: tag });
    expect((await planned('v1')).map(({ descriptor }) => descriptor.annotations)).toEqual([root, root].map(({ digest }) => ({ [annotationKeys.manifestSubject]: digest })));
  });

  it('takes two signatures of one tag, one of them without a name', async () => {
    const { store, root, image } = await setting();
    const [other] = await addImages(store, { name: 'other:1', layers: [{ o: 'o' }] });
    const first = await addCosign(store, root, 'example.org/a');
    const second = (other ?? image).descriptor;
    await written(store, async (session) =>
      session.name(`example.org/b:${root.digest.replace(':', '-')}.sig`, { descriptor: second, role: 'manifest', height: 0, origins: [], read: async function* () {} }),
    );
    const { referrers } = await makePlan(store, [image], { referrers: true });
    expect(referrers.map(({ descriptor }) => descriptor.digest)).toEqual(digestsIn([first, second]));
    expect(referrers.filter(({ name }) => name !== undefined)).toHaveLength(1);
  });

  it('does not list again what is part of an image, or is one of the images', async () => {
    const { store, root, image } = await setting();
    const signature = await addReferrer(store, root, { name: 'example.org/sig:1' });
    const both = await makePlan(store, [image, await store.resolve('example.org/sig:1')], { referrers: true });
    expect(both.referrers).toEqual([]);
    expect(both.contents.has(signature.digest)).toBe(true);
  });

  it('is the same whatever the order in which the source lists things', async () => {
    const plans = [];
    for (const turned of [false, true]) {
      const { store, root, image } = await setting();
      const types = ['a/a', 'b/b', 'c/c', 'd/d'];
      for (const artifactType of turned ? types.toReversed() : types) await addReferrer(store, root, { artifactType });
      const plan = await makePlan(store, [image], { referrers: true });
      plans.push({ referrers: plan.referrers, contents: [...plan.contents.keys()] });
    }
    expect(plans[0]).toEqual(plans[1]);
  });

  it('stops at a limit of referrers, in number and in depth', async () => {
    const { store, root, image } = await setting();
    let subject = root;
    for (let depth = 0; depth < 9; depth += 1) subject = await addReferrer(store, subject);
    await expect(makePlan(store, [image], { referrers: true })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 8 } });
    expect((await makePlan(store, [image], { referrers: true, referrerLimits: { depth: 9 } })).referrers).toHaveLength(9);
    await expect(makePlan(store, [image], { referrers: true, referrerLimits: { depth: 9, count: 8 } })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 8 } });
    await expect(referrerTrees(store, [root])).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('counts what a list brings against the limit', async () => {
    const { store, root, image } = await setting();
    const inList: Descriptor[] = [];
    for (const artifactType of ['a/a', 'b/b', 'c/c']) inList.push(await addReferrer(store, root, { artifactType, unlisted: true }));
    await addList(store, root, inList, repository);
    expect((await makePlan(store, [image], { referrers: true, referrerLimits: { count: 4 } })).contents.size).toBe(3 + 1 + 3 + 4);
    await expect(makePlan(store, [image], { referrers: true, referrerLimits: { count: 3 } })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('takes two thousand referrers of one image', async () => {
    const { store, root, image } = await setting();
    await written(store, async (session) => {
      const config = { mediaType: mediaTypes.empty, digest: await digestBytes(new TextEncoder().encode('{}')), size: 2, data: 'e30=' };
      for (let turn = 0; turn < 2000; turn += 1) {
        await session.name(undefined, await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'a/b', config, layers: [], subject: root, annotations: { turn: `${turn}` } }));
      }
    });
    expect((await makePlan(store, [image], { referrers: true })).referrers).toHaveLength(2000);
  });
});

describe('the trees of referrers', () => {
  it('have each referrer once, with its own below it', async () => {
    const { store, root } = await setting();
    const sbom = await addReferrer(store, root, { artifactType: sbomType });
    const signature = await addReferrer(store, sbom);
    const below = [{ descriptor: { digest: signature.digest }, referrers: [] }];
    expect(await referrerTrees(store, [root])).toMatchObject([[{ descriptor: { digest: sbom.digest }, referrers: below }]]);
    expect(await referrerTrees(store, [root, sbom])).toMatchObject([[], below]);
  });

  it('cannot be had of a place that does not know', async () => {
    const { store, root } = await setting();
    const mute: ImageStore = { name: 'mute', images: () => store.images(), resolve: (reference) => store.resolve(reference), open: (blob) => store.open(blob), close: async () => {} };
    await expect(referrerTrees(mute, [root])).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('what is no image of its own', () => {
  it('is told by annotation, tag or subject, and is all there is where nothing else is', async () => {
    const { store, root, image } = await setting();
    await addReferrer(store, root);
    await addReferrer(store, root, { artifactType: sbomType, annotated: true });
    await addCosign(store, root, repository);
    const index = await addIndex(store, 'multi:1', [linux, arm]);
    expect((await withoutReferrers(store, await listed(store))).map(({ name }) => name)).toEqual([image.name, index.name]);
    await store.remove?.('multi:1');
    expect((await withoutReferrers(store, await listed(store))).map(({ name }) => name)).toEqual([image.name]);
    await store.remove?.('hello:1');
    expect((await withoutReferrers(store, await listed(store))).length).toBeGreaterThan(0);
  });
});
