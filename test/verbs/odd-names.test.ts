import { describe, expect, it } from 'vitest';
import { annotationKeys, bytesSource, exportImages, importImages, blobPath, importStream, isOciTarError, layoutStore, mediaTypes, memoryDriver, readSource, tarReader, tarWriter } from '@oci-tar/core';
import type { Digest, ImageDriver } from '@oci-tar/core';
import { readIndex, writeIndex } from '../../packages/core/src/layout/files.ts';
import { addImages, listed, memoryStore } from '../support/images.ts';
import { MemorySink, cut } from '../support/sinks.ts';

/** The bytes of an archive with the files of a layout, whatever they say. */
async function packed(driver: ImageDriver): Promise<Uint8Array> {
  const sink = new MemorySink();
  const archive = tarWriter(sink);
  for await (const { path } of driver.list()) {
    const writer = await archive.writer(path);
    for await (const chunk of (await driver.reader(path)).read()) await writer.write(chunk);
    await writer.commit();
  }
  await archive.close();
  return sink.bytes;
}

describe('a layout that calls an image what docker does not', () => {
  it('is exported all the same, under that name', async () => {
    const driver = memoryDriver();
    const store = layoutStore(driver);
    await addImages(store, { name: 'Foo/Bar:1' });
    const output = new MemorySink();
    await exportImages({ source: store, references: ['Foo/Bar:1'], output });
    const archive = await tarReader(bytesSource(output.bytes));
    expect(await listed(layoutStore(archive))).toMatchObject([{ name: 'Foo/Bar:1' }]);
    const { value } = await (await archive.reader('manifest.json')).read()[Symbol.asyncIterator]().next();
    expect(JSON.parse(new TextDecoder().decode(value))).toMatchObject([{ RepoTags: null }]);
  });
});

describe('an archive with two images of one name', () => {
  it('is refused, since one of them would be lost', async () => {
    const driver = memoryDriver();
    const source = layoutStore(driver);
    await addImages(source, { name: 'docker.io/library/a:1', layers: [{ x: '1' }] }, { name: 'docker.io/library/b:1', layers: [{ x: '2' }] });
    const { manifests } = await readIndex(driver);
    await writeIndex(driver, manifests.map((entry) => ({ ...entry, annotations: { [annotationKeys.refName]: 'docker.io/library/a:1' } })));
    const bytes = await packed(driver);
    const target = memoryStore();
    const conflict = (error: unknown) => isOciTarError(error, 'CONFLICT') && error.message.includes(manifests[1]?.digest ?? '?');
    await expect(importImages(layoutStore(await tarReader(bytesSource(bytes))), { target })).rejects.toSatisfy(conflict);
    await expect(importStream(cut(bytes), { target })).rejects.toSatisfy(conflict);
    expect(await listed(target)).toEqual([]);
  });
});

describe('an image with a blob under a digest that cannot be computed here', () => {
  it('is not moved, from a file or from a pipe', async () => {
    const driver = memoryDriver();
    const source = layoutStore(driver);
    await addImages(source, { name: 'docker.io/library/a:1' });
    const strange: Digest = 'md5:5d41402abc4b2a76b9719d911017c592';
    const put = await driver.writer('blobs/md5/5d41402abc4b2a76b9719d911017c592');
    await put.write(new TextEncoder().encode('hello'));
    await put.commit();
    const bytes = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: 'application/octet-stream', digest: strange, size: 5 },
        layers: [],
      }),
    );
    const manifest = await driver.blobWriter();
    await manifest.write(bytes);
    const descriptor = { mediaType: mediaTypes.manifest, ...(await manifest.commit()), annotations: { [annotationKeys.refName]: 'docker.io/library/odd:1' } };
    await writeIndex(driver, [descriptor]);
    const archive = await packed(driver);
    const target = memoryStore();
    const unsupported = (error: unknown) => isOciTarError(error, 'UNSUPPORTED');
    await expect(importImages(layoutStore(await tarReader(bytesSource(archive))), { target })).rejects.toSatisfy(unsupported);
    await expect(importStream(cut(archive), { target })).rejects.toSatisfy(unsupported);
    expect(await listed(target)).toEqual([]);
  });
});

describe('limits for documents', () => {
  it('hold for a whole export when they are wider than the default ones', async () => {
    const driver = memoryDriver();
    const source = layoutStore(driver);
    await addImages(source, { name: 'docker.io/library/a:1' });
    const [image] = (await readIndex(driver)).manifests;
    const manifest = JSON.parse(new TextDecoder().decode(await bytesOf(driver, image?.digest ?? 'a:b')));
    const writer = await driver.blobWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify({ ...manifest, annotations: { long: 'x'.repeat(5 * 1024 * 1024) } })));
    await writeIndex(driver, [{ mediaType: mediaTypes.manifest, ...(await writer.commit()), annotations: { [annotationKeys.refName]: 'docker.io/library/a:1' } }]);
    const request = { source, references: ['a:1'] };
    await expect(exportImages({ ...request, output: new MemorySink() })).rejects.toSatisfy((error) => isOciTarError(error, 'LIMIT_EXCEEDED'));
    const output = new MemorySink();
    await exportImages({ ...request, output, limits: { bytes: 8 * 1024 * 1024, depth: 16 } });
    expect(output.ended).toBe('committed');
  });
});

async function bytesOf(driver: ImageDriver, digest: Digest): Promise<Uint8Array> {
  return readSource(await driver.reader(blobPath(digest)), 1024 * 1024, digest);
}
