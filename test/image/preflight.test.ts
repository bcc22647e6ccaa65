import { checkConfigs, importImages, isOciTarError, makePlan, mediaTypes, parsePlatform, preflight } from '@oci-tar/core';
import type { Descriptor, ImageStore, PlanOptions, PreflightReport } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addImages, memoryStore } from '../support/images.ts';
import { addDocument, addMulti, faulty, foreignLayer } from '../support/multi.ts';
import type { MultiImage } from '../support/multi.ts';
import fc from '../support/fast-check.ts';

const name = 'docker.io/library/a:1';
const platforms = ['linux/amd64', 'linux/arm64'];
const only = (...texts: readonly string[]): PlanOptions => ({ platforms: texts.map((text) => parsePlatform(text)) });

const statesOf = ({ images }: PreflightReport) => images.map(({ state, parts }) => [state, ...parts.map((part) => part.state)]);
const digestsIn = (blobs: readonly { readonly digest: string }[] | undefined) => blobs?.map(({ digest }) => digest);
const total = (blobs: readonly Descriptor[]) => blobs.reduce((sum, { size }) => sum + size, 0);

describe('a preflight', () => {
  it('says that an image is complete, platform by platform, and how much would move', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, platforms, { attestations: true });
    const report = await preflight(store, [image], { verify: true });
    expect(statesOf(report)).toEqual([['complete', 'complete', 'complete', 'complete', 'complete']]);
    const plan = await makePlan(store, [image]);
    expect(report).toMatchObject({ moving: { blobs: plan.contents.size, bytes: plan.size }, there: { blobs: 0, bytes: 0 } });
    expect(report).not.toHaveProperty('failure');
    const amd = of['linux/amd64'];
    expect(report.images[0]?.parts[0]).toMatchObject({ platforms: [amd?.platform], here: { blobs: 3, bytes: total([amd?.manifest, amd?.config, ...(amd?.layers ?? [])].flatMap((blob) => blob ?? [])) } });
  });

  it('tells the platform of an image without an index', async () => {
    const store = memoryStore();
    const images = await addImages(store, { name });
    expect((await preflight(store, images)).images[0]?.parts).toMatchObject([{ state: 'complete', platforms: [{ os: 'linux', architecture: 'amd64' }] }]);
  });

  it('tells apart what the target has already, and takes a blob of another size for missing', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, platforms);
    const target = memoryStore();
    await importImages(store, { target, platforms: [parsePlatform('linux/arm64')] });
    const amd = of['linux/amd64'];
    const { moving, there } = await preflight(store, [image], { target });
    expect(moving).toEqual({ blobs: 3, bytes: total([amd?.manifest, amd?.config, ...(amd?.layers ?? [])].flatMap((blob) => blob ?? [])) });
    expect(there.blobs).toBe(4);
    const short: Pick<ImageStore, 'open'> = { open: (blob) => target.open({ ...blob, size: blob.size + 1 }) };
    expect((await preflight(store, [image], { target: short })).there.blobs).toBe(0);
  });

  it('lists what is absent of each platform, and nothing else goes wrong where one is whole', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, [...platforms, 'linux/s390x']);
    const [arm, z] = [of['linux/arm64'], of['linux/s390x']];
    const source = faulty(store, { absent: [arm?.config.digest ?? '', arm?.layers[0]?.digest ?? '', z?.manifest.digest ?? ''] });
    const report = await preflight(source, [image]);
    expect(statesOf(report)).toEqual([['sparse', 'complete', 'absent', 'absent']]);
    expect(report).not.toHaveProperty('failure');
    const [, armPart, zPart] = report.images[0]?.parts ?? [];
    expect(digestsIn(armPart?.absent)).toEqual([arm?.config.digest, arm?.layers[0]?.digest]);
    expect(armPart?.here).toEqual({ blobs: 1, bytes: arm?.manifest.size });
    expect(digestsIn(zPart?.absent)).toEqual([z?.manifest.digest]);
    const all = await preflight(source, [image], { platforms: 'all' });
    expect(all).toMatchObject({ failure: { code: 'NOT_FOUND' }, images: [{ state: 'incomplete' }] });
  });

  it('says what is filtered, and what stays behind with its image', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, platforms, { attestations: true });
    expect(statesOf(await preflight(store, [image], only('linux/arm64')))).toEqual([['sparse', 'filtered', 'complete', 'filtered', 'complete']]);
    const source = faulty(store, { absent: [of['linux/amd64']?.config.digest ?? ''] });
    expect(statesOf(await preflight(source, [image]))).toEqual([['sparse', 'absent', 'complete', 'orphaned', 'complete']]);
  });

  it('says which layers are left where their URLs point', async () => {
    const store = memoryStore();
    const layer = await foreignLayer(store, ['https://example.org/layer']);
    const { image } = await addMulti(store, name, ['windows/amd64'], { layers: [layer] });
    for (const [source, options] of [[faulty(store, { absent: [layer.digest] }), {}], [store, { skipNonDistributable: true }]] as const) {
      const report = await preflight(source, [image], { verify: true, ...options });
      expect(statesOf(report)).toEqual([['sparse', 'complete']]);
      expect(report.images[0]?.parts[0]?.foreign).toMatchObject([{ digest: layer.digest, urls: ['https://example.org/layer'] }]);
      expect(report).not.toHaveProperty('failure');
    }
  });

  it('finds damaged layers only with verify, each with what is wrong', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, platforms);
    const layer = of['linux/arm64']?.layers[0]?.digest ?? '';
    const source = faulty(store, { damaged: [layer] });
    expect(statesOf(await preflight(source, [image]))).toEqual([['complete', 'complete', 'complete']]);
    const report = await preflight(source, [image], { verify: true });
    expect(statesOf(report)).toEqual([['corrupt', 'complete', 'corrupt']]);
    expect(report.images[0]?.parts[1]?.corrupt).toMatchObject([{ code: 'DIGEST_MISMATCH', descriptor: { digest: layer } }]);
    expect(report.failure).toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('reads what a filter leaves out in no case', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, platforms, { attestations: true });
    const amd = of['linux/amd64'];
    const damaged = [amd?.manifest, amd?.config, ...(amd?.layers ?? []), amd?.attestation?.manifest].map((blob) => blob?.digest ?? '');
    expect(await preflight(faulty(store, { damaged }), [image], { ...only('linux/arm64'), verify: true })).not.toHaveProperty('failure');
  });

  it('goes on after a damaged manifest, and over all images', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, platforms);
    const [single] = await addImages(store, { name: 'docker.io/library/b:1' });
    if (single === undefined) throw new Error('no image');
    const report = await preflight(faulty(store, { damaged: [of['linux/amd64']?.manifest.digest ?? ''] }), [image, single]);
    expect(statesOf(report)).toEqual([['corrupt', 'corrupt', 'complete'], ['complete', 'complete']]);
    expect(report.failure).toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(report.images[1]).not.toHaveProperty('failure');
  });

  it('reports an index that is damaged, or a manifest at the same time, or absent', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, name, platforms);
    const both = await addDocument(store, 'docker.io/library/b:1', mediaTypes.index, { schemaVersion: 2, manifests: [], layers: [] });
    expect(await preflight(store, [both], { verify: true })).toMatchObject({ images: [{ state: 'corrupt', parts: [{ corrupt: [{ code: 'INVALID_MANIFEST' }] }] }], failure: { code: 'INVALID_MANIFEST' } });
    const damaged = await preflight(faulty(store, { damaged: [image.descriptor.digest] }), [image], { verify: true });
    expect(damaged.images[0]?.parts).toMatchObject([{ state: 'corrupt', descriptor: image.descriptor, corrupt: [{ code: 'DIGEST_MISMATCH' }] }]);
    const absent = await preflight(faulty(store, { absent: [image.descriptor.digest] }), [image], { verify: true });
    expect(absent.images).toMatchObject([{ state: 'incomplete', parts: [{ state: 'absent', absent: [image.descriptor] }] }]);
  });

  it('takes what a check says of the plan for the outcome', async () => {
    const store = memoryStore();
    const { image, of } = await addMulti(store, name, ['linux/amd64']);
    const { config, layers = [] } = of['linux/amd64'] ?? {};
    const uneven = await addDocument(store, name, mediaTypes.manifest, { schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: [...layers, ...layers] });
    expect(await preflight(store, [image, uneven])).not.toHaveProperty('failure');
    expect(await preflight(store, [uneven], { check: checkConfigs })).toMatchObject({ failure: { code: 'INVALID_MANIFEST' }, images: [{ state: 'complete' }] });
    expect(await preflight(store, [uneven], { verify: true })).toMatchObject({ failure: { code: 'INVALID_MANIFEST' }, images: [{ state: 'corrupt' }] });
    await expect(preflight(store, [image], { check: () => Promise.reject(new TypeError('no fault of an image')) })).rejects.toBeInstanceOf(TypeError);
  });

  it('says which index would be rewritten', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, name, platforms);
    const options = { ...only('linux/amd64'), rewriteIndex: true };
    const plan = await makePlan(store, [image], options);
    expect(await preflight(store, [image], options)).toMatchObject({ rewritten: plan.rewritten, moving: { blobs: 4, bytes: plan.size } });
  });

  it('makes one part of a manifest that an index lists many times, with all its platforms', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, name, ['linux/arm/v7']);
    const { platform: _platform, ...manifest } = multi.of['linux/arm/v7']?.manifest ?? multi.image.descriptor;
    const manifests = ['v5', 'v6', 'v7'].map((variant) => ({ ...manifest, platform: { os: 'linux', architecture: 'arm', variant } }));
    const image = await addDocument(store, 'b:1', mediaTypes.index, { schemaVersion: 2, manifests });
    const [part, ...others] = (await preflight(store, [image])).images[0]?.parts ?? [];
    expect(others).toEqual([]);
    expect(part?.platforms.map(({ variant }) => variant)).toEqual(['v5', 'v6', 'v7']);
  });

  it('ends by its signal', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, name, platforms);
    const controller = new AbortController();
    const reason = new Error('enough');
    await expect(preflight(store, [image], { verify: true, signal: controller.signal, onBytes: () => controller.abort(reason) })).rejects.toBe(reason);
  });
});

describe('what a preflight foretells', () => {
  const blobsOf = ({ image, of }: MultiImage) => [image.descriptor, ...Object.values(of).flatMap(({ manifest, config, layers, attestation }) => [manifest, config, ...layers, attestation?.manifest ?? [], attestation?.config ?? [], attestation?.layer ?? []].flat())];

  it('is what the import comes to, whatever is absent or damaged and whatever is asked for', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, name, platforms, { attestations: true });
    const blobs = blobsOf(multi).map(({ digest }) => digest);
    const some = fc.uniqueArray(fc.constantFrom(...blobs), { maxLength: 2 });
    const choices = fc.constantFrom<PlanOptions>({}, { platforms: 'all' }, only('linux/amd64'), only('linux/arm64'), only(...platforms), only('linux/s390x'), { ...only('linux/amd64'), rewriteIndex: true });
    await fc.assert(
      fc.asyncProperty(some, some, choices, async (absent, damaged, options) => {
        const source = faulty(store, { absent, damaged });
        const target = memoryStore();
        const { failure, moving, there } = await preflight(source, [multi.image], { ...options, target, check: checkConfigs, verify: true });
        const outcome = await importImages(source, { target, ...options }).catch((error: unknown) => (isOciTarError(error) ? error : Promise.reject(error)));
        if (isOciTarError(outcome)) expect(failure?.code).toBe(outcome.code);
        else {
          expect(failure).toBeUndefined();
          expect({ blobs: outcome.blobs, bytes: outcome.bytes }).toEqual(moving);
          expect(there.blobs).toBe(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});
