import { isOciTarError, makePlan, mediaTypes, parsePlatform, preflight } from '@oci-tar/core';
import type { Descriptor, ImageStore, NamedImage, Plan, PlanOptions } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addImages, memoryStore } from '../support/images.ts';
import { addDocument, addMulti, faulty, foreignLayer } from '../support/multi.ts';
import type { MultiImage, PlatformContents } from '../support/multi.ts';

const only = (...texts: readonly string[]): PlanOptions => ({ platforms: texts.map((text) => parsePlatform(text)) });
const digestsOf = (plan: Plan) => new Set<string>(plan.contents.keys());
const has = (plan: Plan, ...descriptors: readonly (Descriptor | undefined)[]) => descriptors.map((descriptor) => plan.contents.has(descriptor?.digest ?? 'sha256:none'));
const whyOf = (plan: Plan) => Object.fromEntries(plan.gaps.map(({ descriptor, why }) => [descriptor.digest, why]));

function part(multi: MultiImage, platform: string): PlatformContents {
  const found = multi.of[platform];
  if (found === undefined) throw new Error(`no ${platform} was made`);
  return found;
}

const failed = (source: ImageStore, image: NamedImage, options?: PlanOptions) =>
  makePlan(source, [image], options).then(
    () => undefined,
    (error: unknown) => (isOciTarError(error) ? error : Promise.reject(error)),
  );

describe('what attests an image', () => {
  it('goes with the platform that it describes', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
    const [amd, arm] = [part(multi, 'linux/amd64'), part(multi, 'linux/arm64')];
    const plan = await makePlan(store, [multi.image], only('linux/arm64'));
    expect(has(plan, arm.manifest, arm.attestation?.manifest, arm.attestation?.config, arm.attestation?.layer)).toEqual([true, true, true, true]);
    expect(has(plan, amd.manifest, amd.attestation?.manifest, amd.attestation?.layer)).toEqual([false, false, false]);
    expect(whyOf(plan)).toEqual({ [amd.manifest.digest]: 'filtered', [amd.attestation?.manifest.digest ?? '']: 'filtered' });
  });

  it('stays behind when its image is not whole', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
    const arm = part(multi, 'linux/arm64');
    const layer = arm.layers[0]?.digest ?? '';
    const plan = await makePlan(faulty(store, { absent: [layer] }), [multi.image]);
    expect(has(plan, arm.manifest, arm.attestation?.manifest, arm.attestation?.layer)).toEqual([false, false, false]);
    expect(whyOf(plan)).toEqual({ [layer]: 'absent', [arm.attestation?.manifest.digest ?? '']: 'orphaned' });
  });

  it('may be absent when its platform is asked for, but not when everything is', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64'], { attestations: true });
    const { attestation, manifest } = part(multi, 'linux/amd64');
    const source = faulty(store, { absent: [attestation?.manifest.digest ?? ''] });
    expect(has(await makePlan(source, [multi.image], only('linux/amd64')), manifest)).toEqual([true]);
    const error = await failed(source, multi.image, { platforms: 'all' });
    expect(error).toMatchObject({ code: 'NOT_FOUND', details: { missing: [{ platform: 'attestation-manifest', digest: attestation?.manifest.digest }] } });
  });

  it('is told of when everything is asked for and neither it nor its image is there', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
    const { attestation, manifest } = part(multi, 'linux/arm64');
    const source = faulty(store, { absent: [manifest.digest, attestation?.manifest.digest ?? ''] });
    expect((await failed(source, multi.image, { platforms: 'all' }))?.details.missing).toMatchObject([{ platform: 'linux/arm64' }, { platform: 'attestation-manifest' }]);
  });

  it('is no image: alone it does not make an index complete', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64'], { attestations: true });
    expect(await failed(faulty(store, { absent: [part(multi, 'linux/amd64').config.digest] }), multi.image)).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('what an image lacks', () => {
  it('is listed whole, with the platform and the size of each blob', async () => {
    const store = memoryStore();
    const platforms = ['linux/amd64', 'linux/arm/v7', 'linux/arm64', 'linux/ppc64le', 'linux/riscv64', 'linux/s390x'];
    const multi = await addMulti(store, 'a:1', platforms);
    const absent = platforms.map((platform) => part(multi, platform)).flatMap(({ config, layers }) => [config, ...layers]);
    const error = await failed(faulty(store, { absent: absent.map(({ digest }) => digest) }), multi.image, { platforms: 'all' });
    expect(error?.details.missing).toEqual(platforms.flatMap((platform) => [part(multi, platform).config, ...part(multi, platform).layers].map(({ mediaType, digest, size }) => ({ platform, mediaType, digest, size }))));
    const lines = error?.message.split('\n') ?? [];
    expect(lines).toHaveLength(13);
    expect(lines[0]).toBe(`a:1 is incomplete in ${store.name}: it lacks 12 blobs of ${absent.reduce((sum, { size }) => sum + size, 0)} bytes`);
    expect(lines[3]).toBe(`  linux/arm/v7: ${absent[2]?.mediaType} ${absent[2]?.digest}, ${absent[2]?.size} bytes`);
  });

  it('is told once for each platform that needs the same layer', async () => {
    const store = memoryStore();
    const [shared] = await addImages(memoryStore(), { name: 'x:1' });
    const layer = { mediaType: mediaTypes.layer, digest: shared?.descriptor.digest ?? 'sha256:none', size: 7 } as const;
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64'], { layers: [layer] });
    expect((await failed(store, multi.image))?.details.missing).toMatchObject([{ platform: 'linux/amd64', digest: layer.digest }, { platform: 'linux/arm64', digest: layer.digest }]);
  });

  it('is not told of an index in which nothing is listed', async () => {
    const store = memoryStore();
    const image = await addDocument(store, 'a:1', mediaTypes.index, { schemaVersion: 2, manifests: [] });
    expect((await makePlan(store, [image], { platforms: 'all' })).contents.size).toBe(1);
  });

  it('includes each platform that was asked for and that there is none of', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64']);
    expect(await failed(store, multi.image, only('linux/amd64', 'linux/s390x'))).toMatchObject({
      code: 'NOT_FOUND',
      message: `a:1 in ${store.name} has no manifest for linux/s390x`,
      hint: 'It has linux/amd64, linux/arm64.',
    });
    const broken = faulty(store, { absent: [part(multi, 'linux/amd64').config.digest] });
    const error = await failed(broken, multi.image, only('linux/amd64', 'linux/s390x'));
    expect(error?.message).toMatch(/lacks 1 blob .*\n {2}linux\/amd64: .*\n {2}linux\/s390x: no manifest is for it$/);
    const [single] = await addImages(store, { name: 'single:1' });
    if (single === undefined) throw new Error('no image');
    expect(await failed(store, single, only('linux/amd64', 'linux/arm64'))).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('linux/arm64') as string });
  });
});

describe('a choice of platforms', () => {
  it('makes no sense when it is empty', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, 'a:1', ['linux/amd64']);
    expect(await failed(store, image, { platforms: [] })).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('does not apply to an index that says nothing of platforms', async () => {
    const store = memoryStore();
    const artifact = await addDocument(store, 'x:1', mediaTypes.manifest, { schemaVersion: 2, config: { mediaType: mediaTypes.empty, digest: `sha256:${'0'.repeat(64)}`, size: 0, data: '' }, layers: [] });
    const image = await addDocument(store, 'a:1', mediaTypes.index, { schemaVersion: 2, manifests: [artifact.descriptor] });
    expect(digestsOf(await makePlan(store, [image], only('linux/amd64')))).toContain(artifact.descriptor.digest);
  });

  it('looks into the config of a manifest that the index gives no platform', async () => {
    const store = memoryStore();
    const [single] = await addImages(store, { name: 'single:1' });
    const image = await addDocument(store, 'a:1', mediaTypes.index, { schemaVersion: 2, manifests: [single?.descriptor] });
    expect(digestsOf(await makePlan(store, [image], only('linux/amd64')))).toContain(single?.descriptor.digest);
    expect(await failed(store, image, only('linux/arm64'))).toMatchObject({ code: 'NOT_FOUND', hint: 'It has linux/amd64.' });
  });

  it('reaches into indexes inside an index, and leaves out those that have nothing of it', async () => {
    const store = memoryStore();
    const one = await addMulti(store, 'one:1', ['linux/amd64', 'linux/s390x']);
    const two = await addMulti(store, 'two:1', ['linux/arm64']);
    const image = await addDocument(store, 'a:1', mediaTypes.index, { schemaVersion: 2, manifests: [one.image.descriptor, two.image.descriptor] });
    const plan = await makePlan(store, [image], only('linux/amd64'));
    expect(has(plan, image.descriptor, one.image.descriptor, part(one, 'linux/amd64').manifest)).toEqual([true, true, true]);
    expect(has(plan, two.image.descriptor, part(two, 'linux/arm64').manifest, part(one, 'linux/s390x').manifest)).toEqual([false, false, false]);
    expect(whyOf(plan)).toMatchObject({ [two.image.descriptor.digest]: 'filtered', [part(one, 'linux/s390x').manifest.digest]: 'filtered' });
    expect(await failed(store, image, only('linux/riscv64'))).toMatchObject({ code: 'NOT_FOUND', hint: 'It has linux/amd64, linux/s390x, linux/arm64.' });
  });
});

describe('an index', () => {
  it('that is sparse is taken when one platform of it is whole, and says what it lacks', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64', 'linux/s390x']);
    const gone = [part(multi, 'linux/amd64').manifest.digest, part(multi, 'linux/s390x').config.digest];
    const plan = await makePlan(faulty(store, { absent: gone }), [multi.image]);
    expect(whyOf(plan)).toEqual(Object.fromEntries(gone.map((digest) => [digest, 'absent'])));
    expect(has(plan, multi.image.descriptor, part(multi, 'linux/arm64').manifest)).toEqual([true, true]);
  });

  it('of which no platform is whole is refused, whichever platforms are asked for', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64']);
    const source = faulty(store, { absent: Object.values(multi.of).map(({ config }) => config.digest) });
    for (const options of [{}, { platforms: 'all' }, only('linux/amd64')] as const) {
      expect(await failed(source, multi.image, options)).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('is incomplete') as string });
    }
  });

  it('and a manifest at once is refused, by its fields and by what refers to it', async () => {
    const store = memoryStore();
    const [single] = await addImages(store, { name: 'single:1' });
    const both = await addDocument(store, 'both:1', mediaTypes.index, { schemaVersion: 2, manifests: [], layers: [], config: single?.descriptor });
    expect(await failed(store, both)).toMatchObject({ code: 'INVALID_MANIFEST' });
    // Without a media type of its own the document is what refers to it says.
    const plain = await addDocument(store, 'plain:1', mediaTypes.index, { schemaVersion: 2, manifests: [] });
    const twice = await addDocument(store, 'twice:1', mediaTypes.index, { schemaVersion: 2, manifests: [plain.descriptor, { ...plain.descriptor, mediaType: mediaTypes.manifest }] });
    expect(await failed(store, twice)).toMatchObject({ code: 'INVALID_MANIFEST' });
  });

  it('whose manifests disagree about the size of a layer is refused', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64']);
    const { config, layers } = part(multi, 'linux/amd64');
    const wrong = layers.map((layer) => ({ ...layer, size: layer.size + 1 }));
    const other = await addDocument(store, 'b:1', mediaTypes.manifest, { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: wrong });
    const image = await addDocument(store, 'c:1', mediaTypes.index, { schemaVersion: 2, manifests: [part(multi, 'linux/amd64').manifest, other.descriptor] });
    expect(await failed(store, image)).toMatchObject({ code: 'SIZE_MISMATCH' });
  });
});

describe('indexes that list each other over and over', () => {
  it('are each gone through once', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:0', ['linux/amd64', 'linux/arm64']);
    let { image } = multi;
    for (let level = 1; level < 8; level += 1) {
      const manifests = Array.from({ length: 300 }, () => image.descriptor);
      image = await addDocument(store, `a:${level}`, mediaTypes.index, { schemaVersion: 2, manifests });
    }
    const source = faulty(store, { absent: [part(multi, 'linux/arm64').layers[0]?.digest ?? ''] });
    for (const options of [{}, { rewriteIndex: true }, only('linux/amd64')]) expect((await makePlan(source, [image], options)).contents.size).toBe(11);
    expect((await failed(source, image, { platforms: 'all' }))?.details.missing).toHaveLength(1);
    expect((await makePlan(store, [image], { rewriteIndex: true })).images).toEqual([image]);
    const report = await preflight(source, [image], { verify: true });
    expect(report.images[0]?.parts.map(({ state }) => state)).toEqual(['complete', 'absent']);
  });

  it('or are too deep are refused', async () => {
    const store = memoryStore();
    let { image } = await addMulti(store, 'a:0', ['linux/amd64']);
    for (let level = 1; level < 10; level += 1) image = await addDocument(store, `a:${level}`, mediaTypes.index, { schemaVersion: 2, manifests: [image.descriptor] });
    expect(await failed(store, image)).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect((await preflight(store, [image])).failure).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('a foreign layer', () => {
  it('goes along when it is here, and is left where its URLs point on request', async () => {
    const store = memoryStore();
    const layer = await foreignLayer(store, ['https://example.org/layer']);
    const { image } = await addMulti(store, 'a:1', ['windows/amd64'], { layers: [layer] });
    expect(has(await makePlan(store, [image]), layer)).toEqual([true]);
    const plan = await makePlan(store, [image], { skipNonDistributable: true });
    expect(has(plan, layer, image.descriptor)).toEqual([false, true]);
    expect(plan.gaps).toMatchObject([{ why: 'foreign', descriptor: { urls: ['https://example.org/layer'] } }]);
  });

  it('is never left out when nothing says where else it is', async () => {
    const store = memoryStore();
    const layer = await foreignLayer(store, []);
    const { image } = await addMulti(store, 'a:1', ['windows/amd64'], { layers: [layer] });
    expect(has(await makePlan(store, [image], { skipNonDistributable: true }), layer)).toEqual([true]);
    expect(await failed(faulty(store, { absent: [layer.digest] }), image)).toMatchObject({ code: 'NOT_FOUND', details: { missing: [{ digest: layer.digest }] } });
  });
});
