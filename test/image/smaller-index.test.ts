import { bytesSource, copyImage, digestBytes, exportImages, importImages, layoutStore, makePlan, mediaTypes, parseJson, parsePlatform, readBlob, tarReader, verifyImages } from '@oci-tar/core';
import type { Descriptor, ImageStore, NamedImage, PlanOptions } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { addDocument, addMulti, faulty } from '../support/multi.ts';
import { MemorySink } from '../support/sinks.ts';

const amd64: PlanOptions = { platforms: [parsePlatform('linux/amd64')], rewriteIndex: true };

/** The image's document as it moves. */
async function moved(store: ImageStore, image: NamedImage, options: PlanOptions): Promise<{ readonly root: Descriptor; readonly text: string }> {
  const plan = await makePlan(store, [image], options);
  const root = plan.images[0]?.descriptor;
  const origin = plan.contents.get(root?.digest ?? 'sha256:none')?.origins[0];
  if (root === undefined || origin === undefined) throw new Error('the plan has no root');
  return { root, text: new TextDecoder().decode(await readBlob(origin, root)) };
}

describe('a smaller index', () => {
  it('lists what moves; everything else that the index and its entries say stays, in its order', async () => {
    const store = memoryStore();
    const fields = { 'org.example.unknown': { b: [1, null, 'x'], a: true }, annotations: { z: '1', a: '2' }, artifactType: 'application/x' };
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64'], { attestations: true, fields, entryFields: { 'x-entry': [{}], annotations: { kept: 'yes' } } });
    const { root, text } = await moved(store, multi.image, amd64);
    const { manifest, attestation } = multi.of['linux/amd64'] ?? {};
    expect(text).toBe(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.index,
        manifests: [{ ...manifest, 'x-entry': [{}], annotations: { kept: 'yes' } }, attestation?.manifest],
        ...fields,
      }),
    );
    expect(root).toEqual({ mediaType: mediaTypes.index, digest: await digestBytes(new TextEncoder().encode(text)), size: text.length });
    expect((await moved(store, multi.image, amd64)).root).toEqual(root);
  });

  it('is told of with both digests, and takes the place of the whole one', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, 'docker.io/library/a:1', ['linux/amd64', 'linux/arm64']);
    const plan = await makePlan(store, [image], amd64);
    const to = plan.images[0]?.descriptor;
    expect(plan.rewritten).toEqual([{ name: image.name, from: image.descriptor, to }]);
    expect([plan.contents.has(image.descriptor.digest), plan.contents.has(to?.digest ?? image.descriptor.digest)]).toEqual([false, true]);
    expect(plan.size).toBe([...plan.contents.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0));
  });

  it('is not made of an index of which everything moves: that stays byte for byte', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
    const plan = await makePlan(store, [image], { rewriteIndex: true, platforms: 'all' });
    expect(plan.images).toEqual([image]);
    expect(plan.rewritten).toBeUndefined();
  });

  it('is never made without being asked for', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64']);
    const { rewriteIndex: _rewriteIndex, ...plain } = amd64;
    expect((await makePlan(store, [image], plain)).images).toEqual([image]);
  });

  it('leaves out what the source does not have, and what attests it', async () => {
    const store = memoryStore();
    const multi = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
    const arm = multi.of['linux/arm64'];
    const { text } = await moved(faulty(store, { absent: [arm?.layers[0]?.digest ?? ''] }), multi.image, { rewriteIndex: true });
    expect(text).not.toContain(arm?.manifest.digest);
    expect(text).not.toContain(arm?.attestation?.manifest.digest);
  });

  it('refers to smaller indexes inside it, without the bytes that an entry embedded', async () => {
    const store = memoryStore();
    const inner = await addMulti(store, 'inner:1', ['linux/amd64', 'linux/arm64']);
    const data = Buffer.from(await readBlob(store, inner.image.descriptor)).toString('base64');
    const entry = { ...inner.image.descriptor, data, annotations: { 'containerd.io/distribution.source.example.org': 'app', other: 'kept' } };
    const image = await addDocument(store, 'a:1', mediaTypes.index, { schemaVersion: 2, manifests: [entry] });
    const { text } = await moved(store, image, amd64);
    const smaller = await moved(store, inner.image, amd64);
    expect(parseJson(new TextEncoder().encode(text))).toEqual({
      schemaVersion: 2,
      manifests: [{ mediaType: mediaTypes.index, digest: smaller.root.digest, size: smaller.root.size, annotations: entry.annotations }],
    });
  });

  it('is in the target alone: there the image is whole and verifies, by way of an archive too', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, 'docker.io/library/a:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
    const output = new MemorySink();
    const report = await exportImages({ source: store, references: ['a:1'], output, ...amd64 });
    const [{ to }] = report.rewritten as [(typeof report.rewritten)[number]];
    const archive = layoutStore(await tarReader(bytesSource(output.bytes)));
    for (const target of [memoryStore(), memoryStore()]) {
      expect((await importImages(archive, { target, platforms: 'all' })).images).toMatchObject([{ descriptor: { digest: to.digest } }]);
      await copyImage({ source: store, target, reference: 'a:1', name: 'docker.io/library/b:1', ...amd64 });
      const images = await listed(target);
      expect(images.map(({ descriptor }) => descriptor.digest)).toEqual([to.digest, to.digest]);
      expect(await verifyImages(target, images)).toMatchObject({ problems: [], absent: [] });
      await expect(target.open(image.descriptor)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('of two images with the same index is one, and images without an index stay as they are', async () => {
    const store = memoryStore();
    const { image } = await addMulti(store, 'a:1', ['linux/amd64', 'linux/arm64']);
    const [single] = await addImages(store, { name: 'single:1' });
    if (single === undefined) throw new Error('no image');
    const plan = await makePlan(store, [image, { name: 'b:1', descriptor: image.descriptor }, single], amd64);
    expect(new Set(plan.images.slice(0, 2).map(({ descriptor }) => descriptor.digest)).size).toBe(1);
    expect(plan.images[2]).toEqual(single);
    expect(plan.rewritten?.map(({ name }) => name)).toEqual(['a:1', 'b:1']);
  });
});
