import { annotationKeys, bytesSource, copyImage, exportImages, importImages, importStream, layoutStore, mediaTypes, tarReader, verifyImages } from '@oci-tar/core';
import type { Descriptor, ImageStore, MoveOptions, NamedImage, Platform } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addImages, addIndex, linux, listed, memoryStore, pushBytes, pushJson } from '../support/images.ts';
import { addAttested, addCosign, addList, addReferrer, annotated, referrersOf, sbomType, signatureType, written } from '../support/referrers.ts';
import { MemorySink, cut } from '../support/sinks.ts';
import fc from '../support/fast-check.ts';

const repository = 'docker.io/library/hello';
const name = `${repository}:1`;
const arm = { os: 'linux', architecture: 'arm64' };

interface Signed {
  readonly store: ImageStore;
  /** Everything that something else is a referrer of, the index first, then one manifest a platform. */
  readonly subjects: readonly Descriptor[];
  readonly sbom: Descriptor;
  readonly referrers: readonly string[];
}

/** A multi-platform image with attestations inside, a signature, an SBOM with its own, cosign's tags and a list. */
async function signed(): Promise<Signed> {
  const store = memoryStore();
  const { index, images } = await addAttested(store, name, [linux, arm]);
  const [amd64, arm64] = images;
  if (amd64 === undefined || arm64 === undefined) throw new Error('no images');
  const sbom = await addReferrer(store, amd64, { artifactType: sbomType, annotations: { [annotationKeys.created]: '2026-11-22T12:00:00Z' } });
  const inList = await addReferrer(store, arm64, { artifactType: 'application/vnd.example.list', unlisted: true });
  await addList(store, arm64, [inList], repository);
  const others = [await addReferrer(store, index), await addReferrer(store, sbom), await addCosign(store, index, repository), await addCosign(store, index, repository, '.att')];
  return { store, subjects: [index, amd64, arm64, sbom], sbom, referrers: [sbom, inList, ...others].map(({ digest }) => digest).toSorted() };
}

async function archiveOf(source: ImageStore, options: MoveOptions = { referrers: true }, reference = name): Promise<Uint8Array> {
  const output = new MemorySink();
  await exportImages({ ...options, source, references: [reference], output });
  return output.bytes;
}

async function opened(archive: Uint8Array): Promise<ImageStore> {
  return layoutStore(await tarReader(bytesSource(archive)));
}

const named = async (store: ImageStore) => (await listed(store)).flatMap((image) => image.name ?? []).toSorted();

/** Everything that refers to the image, its manifests or its SBOM. */
async function allReferrers(store: ImageStore, { subjects }: Signed): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const subject of subjects) for (const { digest } of await referrersOf(store, subject)) found.add(digest);
  return [...found].toSorted();
}

const ways: readonly (readonly [way: string, take: (archive: Uint8Array, target: ImageStore, options?: MoveOptions & { readonly name?: string }) => Promise<unknown>])[] = [
  ['from a file', async (archive, target, options = {}) => importImages(await opened(archive), { referrers: true, ...options, target })],
  ['from a pipe', (archive, target, options = {}) => importStream(cut(archive), { referrers: true, ...options, target })],
];

describe.each(ways)('referrers that are exported and imported %s', (_way, take) => {
  it('are all there, digests unchanged, every blob verified', async () => {
    const image = await signed();
    const target = memoryStore();
    await take(await archiveOf(image.store), target);
    expect(await allReferrers(target, image)).toEqual(image.referrers);
    expect(await verifyImages(target, await listed(target))).toMatchObject({ problems: [], absent: [] });
    const found = await referrersOf(target, image.subjects[1] ?? image.sbom);
    expect(found).toEqual([{ ...image.sbom, artifactType: sbomType, annotations: { [annotationKeys.created]: '2026-11-22T12:00:00Z' } }]);
  });

  it('give the same archive when they are exported again', async () => {
    const { store } = await signed();
    const archive = await archiveOf(store);
    const target = memoryStore();
    await take(archive, target);
    expect(Buffer.compare(await archiveOf(target), archive)).toBe(0);
    expect(Buffer.compare(await archiveOf(await opened(archive)), archive)).toBe(0);
  });

  it('keep their tags, and are no images', async () => {
    const { store, subjects } = await signed();
    const target = memoryStore();
    await take(await archiveOf(store), target);
    const [index = '', , arm64 = ''] = subjects.map(({ digest }) => digest.replace(':', '-'));
    expect(await named(target)).toEqual([name, `${repository}:${index}.att`, `${repository}:${index}.sig`, `${repository}:${arm64}`].toSorted());
    const own = (await listed(target)).filter(({ descriptor }) => descriptor.annotations?.[annotationKeys.manifestSubject] === undefined);
    expect(own.map((image) => image.name)).toEqual([name]);
  });

  it('move with the image to its new name', async () => {
    const { store } = await signed();
    const target = memoryStore();
    await take(await archiveOf(store), target, { name: 'example.org/team/app:2' });
    const names = await named(target);
    expect(names).toHaveLength(4);
    expect(names.every((found) => found.startsWith('example.org/team/app:'))).toBe(true);
  });

  it('stay in the archive unless they are asked for; the report counts them', async () => {
    const { store } = await signed();
    const target = memoryStore();
    const report = await take(await archiveOf(store), target, { referrers: false });
    // Those of the image: the list for what it lists, and not the signature of the SBOM.
    expect(report).toMatchObject({ referrers: [], referrersLeft: 5, images: [{ name }] });
    expect((await listed(target)).map((image) => image.name)).toEqual([name]);
  });

  it('come whole for one platform of the image, and only those of what came', async () => {
    const image = await signed();
    const [index, amd64, arm64] = image.subjects;
    if (index === undefined || amd64 === undefined || arm64 === undefined) throw new Error('no subjects');
    const parts = await written(image.store, async (session) => {
      const blob = await pushBytes(session, 'text/plain', 'layer', new TextEncoder().encode('part'));
      const part = async (platform: Platform) => ({
        ...(await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'a/b', config: blob.descriptor, layers: [], annotations: { platform: JSON.stringify(platform) } })).descriptor,
        platform,
      });
      const manifests = [await part(linux), await part(arm)];
      const list = await pushJson(session, mediaTypes.index, 'index', { schemaVersion: 2, mediaType: mediaTypes.index, artifactType: 'a/b', manifests, subject: index });
      await session.name(undefined, list);
      return manifests;
    });
    const target = memoryStore();
    await take(await archiveOf(image.store), target, { platforms: [linux] });
    expect(await referrersOf(target, arm64)).toEqual([]);
    expect((await referrersOf(target, amd64)).map(({ digest }) => digest)).toEqual([image.sbom.digest]);
    for (const part of parts) expect((await target.open(part)).size).toBe(part.size);
  });

  it('may be of any media type and listed by an annotation alone', async () => {
    const store = memoryStore();
    const [image] = await addImages(store, { name });
    const root = image?.descriptor;
    if (root === undefined) throw new Error('no image');
    const odd = await written(store, async (session) => {
      const made = await pushBytes(session, 'application/vnd.example.thing', 'other', new TextEncoder().encode('a thing'));
      await session.name(undefined, { ...made, descriptor: annotated(made.descriptor, root) });
      return made.descriptor;
    });
    const target = memoryStore();
    await take(await archiveOf(store), target);
    expect((await target.open(odd)).size).toBe(7);
    expect(await referrersOf(target, root)).toEqual([odd]);
    expect(Buffer.compare(await archiveOf(target), await archiveOf(store))).toBe(0);
  });
});

describe('an export', () => {
  it('lists referrers after the images, sorted by digest, each with its subject', async () => {
    const { store, subjects } = await signed();
    const entries = await listed(await opened(await archiveOf(store)));
    expect(entries[0]?.name).toBe(name);
    const referrers = entries.slice(1).map(({ descriptor }) => descriptor);
    expect(referrers.map(({ digest }) => digest)).toEqual(referrers.map(({ digest }) => digest).toSorted());
    for (const { annotations } of referrers) expect(subjects.map(({ digest }) => digest)).toContain(annotations?.[annotationKeys.manifestSubject]);
    // What a list lists is in its tree.
    expect(referrers).toHaveLength(6);
  });

  it('without referrers is byte for byte what it was before anything was signed', async () => {
    const plain = memoryStore();
    await addAttested(plain, name, [linux, arm]);
    const { store } = await signed();
    expect(Buffer.compare(await archiveOf(store, {}), await archiveOf(plain, {}))).toBe(0);
  });

  it('of a referrer by its name makes it an image', async () => {
    const { store, subjects } = await signed();
    const target = memoryStore();
    await importImages(await opened(await archiveOf(store)), { target, referrers: true });
    const tag = `${repository}:${(subjects[0]?.digest ?? '').replace(':', '-')}.sig`;
    const again = memoryStore();
    await importImages(await opened(await archiveOf(target, {}, tag)), { target: again });
    expect(await named(again)).toEqual([tag]);
  });
});

describe('a copy', () => {
  it('lists referrers in another layout, found there by subject; tags are bare where the name is', async () => {
    const image = await signed();
    const target = memoryStore();
    const report = await copyImage({ source: image.store, target, reference: name, name: 'v1', referrers: true });
    expect(report.referrers).toHaveLength(6);
    expect(await allReferrers(target, image)).toEqual(image.referrers);
    expect(await named(target)).toEqual(['v1', ...report.referrers.flatMap((referrer) => referrer.name ?? [])].toSorted());
    expect(report.referrers.flatMap((referrer) => referrer.name ?? []).every((tag) => /^sha256-[0-9a-f]{64}(\.sig|\.att)?$/.test(tag))).toBe(true);
    // Again, and nothing is listed twice.
    await copyImage({ source: image.store, target, reference: name, name: 'v1', referrers: true });
    expect(await listed(target)).toHaveLength(7);
  });

  it('takes the one image of a place for it, whatever signs it there', async () => {
    const image = await signed();
    const layout = memoryStore();
    await copyImage({ source: image.store, target: layout, reference: name, name: 'v1', referrers: true });
    const target = memoryStore();
    const report = await copyImage({ source: layout, target, name: 'v2', referrers: true });
    expect(report.images).toMatchObject([{ name: 'v2' }]);
    expect(await allReferrers(target, image)).toEqual(image.referrers);
  });
});

describe('an artifact that is no image', () => {
  it.each([
    ['with an empty config and no layers', { config: { mediaType: mediaTypes.empty, digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', size: 2, data: 'e30=' }, layers: [] }],
    ['with an empty config that only its descriptor holds, as a layer too', { config: { mediaType: mediaTypes.empty, digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', size: 2, data: 'e30=' }, layers: [{ mediaType: mediaTypes.empty, digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', size: 2, data: 'e30=' }] }],
  ])('%s is exported, imported, verified and exported again', async (_what, fields) => {
    const store = memoryStore();
    await written(store, async (session) => session.name('docker.io/library/thing:1', await pushJson(session, mediaTypes.manifest, 'manifest', { schemaVersion: 2, mediaType: mediaTypes.manifest, artifactType: 'a/b', ...fields })));
    const archive = await archiveOf(store, {}, 'thing:1');
    for (const [, take] of ways) {
      const target = memoryStore();
      await take(archive, target, {});
      expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
      expect(Buffer.compare(await archiveOf(target, {}, 'thing:1'), archive)).toBe(0);
    }
  });

  it('of an unknown type is a blob with a name', async () => {
    const store = memoryStore();
    await written(store, async (session) => session.name('docker.io/library/thing:1', await pushBytes(session, 'application/vnd.example.thing', 'other', new TextEncoder().encode('a thing'))));
    for (const [, take] of ways) {
      const target = memoryStore();
      await take(await archiveOf(store, {}, 'thing:1'), target, {});
      expect(await listed(target)).toMatchObject([{ name: 'docker.io/library/thing:1', descriptor: { mediaType: 'application/vnd.example.thing' } }]);
      expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
    }
  });
});

describe('an archive with referrers that is damaged', () => {
  it('is found out at any byte, and leaves nothing behind that does not verify', async () => {
    const store = memoryStore();
    const image: NamedImage = await addIndex(store, name, [linux]);
    await addReferrer(store, image.descriptor);
    await addCosign(store, image.descriptor, repository);
    const archive = await archiveOf(store);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: archive.byteLength - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const damaged = Uint8Array.from(archive);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        for (const [, take] of ways) {
          const target = memoryStore();
          await take(damaged, target).catch((error: unknown) => expect(error).toMatchObject({ name: 'OciTarError' }));
          expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('with a referrer whose manifest is missing is refused when referrers are asked for, and else is not', async () => {
    const store = memoryStore();
    const [image] = await addImages(store, { name });
    const gone: Descriptor = { mediaType: mediaTypes.manifest, digest: `sha256:${'b'.repeat(64)}`, size: 9, artifactType: signatureType };
    await written(store, async (session) => session.name(undefined, { descriptor: annotated(gone, image?.descriptor ?? gone), role: 'manifest', height: 0, origins: [], read: async function* () {} }));
    await expect(copyImage({ source: store, target: memoryStore(), reference: name, referrers: true })).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining(gone.digest) as string });
    expect(await copyImage({ source: store, target: memoryStore(), reference: name })).toMatchObject({ referrersLeft: 1 });
  });
});
