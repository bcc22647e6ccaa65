import { gunzipSync } from 'node:zlib';
import { importImages, importStream, mediaTypes, parseManifest, readArchive, readBlob, tarReader, bytesSource, verifyImages, openBlob, collect } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { listed, memoryStore } from '../support/images.ts';
import { cut } from '../support/sinks.ts';
import { crane, docker1, docker24, docker25, sampleImage, tarOf } from './docker-archives.ts';
import type { Entry } from './docker-archives.ts';

const image = await sampleImage({ layers: [{ a: 'a'.repeat(5000) }, { b: 'b' }, { a: 'a'.repeat(5000) }] });

async function imported(entries: readonly Entry[], way: 'file' | 'pipe', compressBlobs: boolean): Promise<ImageStore> {
  const target = memoryStore();
  const archive = tarOf(entries);
  if (way === 'pipe') await importStream(cut(archive, [777, 4000]), { target, compressBlobs });
  else await importImages(await readArchive(await tarReader(bytesSource(archive))), { target, compressBlobs });
  return target;
}

async function manifestOf(store: ImageStore) {
  const { descriptor } = await store.resolve('example.org/app:1');
  return { digest: descriptor.digest, ...parseManifest(await readBlob(store, descriptor)) };
}

describe.each(['file', 'pipe'] as const)('an import by %s that compresses blobs', (way) => {
  it('makes gzip layers of the plain ones of a docker archive; the image ID stays, and so does what they unpack to', async () => {
    const [plain, packed] = [await imported(await docker24(image), way, false), await imported(await docker24(image), way, true)];
    const [before, after] = [await manifestOf(plain), await manifestOf(packed)];
    expect(after.config).toEqual(before.config);
    expect(after.digest).not.toBe(before.digest);
    expect(before.layers.map(({ mediaType }) => mediaType)).toEqual(image.layers.map(() => mediaTypes.layer));
    expect(after.layers.map(({ mediaType }) => mediaType)).toEqual(image.layers.map(() => mediaTypes.layerGzip));
    for (const [position, layer] of after.layers.entries()) {
      const bytes = await collect((await openBlob(packed, layer)).read(), 1e6, 'layer');
      expect(new Uint8Array(gunzipSync(bytes))).toEqual(image.layers[position]?.plain);
    }
    expect((await verifyImages(packed, await listed(packed))).problems).toEqual([]);
    expect((await manifestOf(await imported(await docker24(image), way, true))).digest).toBe(after.digest);
  });

  it('does the same with an archive of the old kind', async () => {
    const { layers } = await manifestOf(await imported(await docker1(image), way, true));
    expect(new Set(layers.map(({ mediaType }) => mediaType))).toEqual(new Set([mediaTypes.layerGzip]));
  });

  it('leaves compressed layers and OCI archives as they are', async () => {
    for (const write of [crane, docker25]) {
      const digests = [await manifestOf(await imported(await write(image), way, false)), await manifestOf(await imported(await write(image), way, true))].map(({ digest }) => digest);
      expect(digests[0]).toBe(digests[1]);
    }
  });

  it('refuses a layer that is not what the config says', async () => {
    const entries = (await docker24(image)).map((entry) => (entry.name.endsWith('layer.tar') && entry.body !== undefined && entry.body.length > 0 ? { ...entry, body: Uint8Array.from(entry.body, (byte, at) => (at === 700 ? 1 : byte)) } : entry));
    await expect(imported(entries, way, true)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });
});
