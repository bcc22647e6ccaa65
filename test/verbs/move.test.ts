import { describe, expect, it } from 'vitest';
import { bytesSource, copyImage, exportImages, importImages, importStream, isOciTarError, layoutStore, tarReader, verifyImages } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { addImages, addIndex, linux, listed, memoryStore } from '../support/images.ts';
import { MemorySink, cut } from '../support/sinks.ts';
import fc from '../support/fast-check.ts';

const name = 'docker.io/library/hello:1';

async function archiveOf(source: ImageStore, ...references: readonly string[]): Promise<Uint8Array> {
  const output = new MemorySink();
  await exportImages({ source, references, output });
  expect(output.ended).toBe('committed');
  return output.bytes;
}

async function opened(archive: Uint8Array): Promise<ImageStore> {
  return layoutStore(await tarReader(bytesSource(archive)));
}

describe('export and import', () => {
  it('bring an image from one store to another, digest and name unchanged', async () => {
    const source = memoryStore();
    const [image] = await addImages(source, { name, layers: [{ a: '1' }, { b: '2' }] });
    const target = memoryStore();
    const report = await importImages(await opened(await archiveOf(source, 'hello:1')), { target });
    expect(report).toMatchObject({ blobs: 4, gaps: [] });
    expect(await listed(target)).toMatchObject([{ name, descriptor: { digest: image?.descriptor.digest } }]);
    expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
  });

  it('give the same bytes every time, also by way of another archive', async () => {
    const source = memoryStore();
    await addImages(source, { name }, { name: 'docker.io/library/other:2', layers: [{ other: 'x' }] });
    const first = await archiveOf(source, 'hello:1', 'other:2');
    const target = memoryStore();
    await importImages(await opened(first), { target });
    expect(Buffer.compare(await archiveOf(target, 'hello:1', 'other:2'), first)).toBe(0);
  });

  it('keep what an index lacks out of the archive', async () => {
    const source = memoryStore();
    const image = await addIndex(source, name, [linux, { os: 'linux', architecture: 'arm64' }]);
    const output = new MemorySink();
    const report = await exportImages({ source, references: [name], output, platforms: [linux] });
    expect(report.gaps).toMatchObject([{ why: 'filtered' }]);
    const target = memoryStore();
    await importImages(await opened(output.bytes), { target });
    expect(await listed(target)).toMatchObject([{ descriptor: { digest: image.descriptor.digest } }]);
  });

  it('from a pipe give the same store as from a file, however the bytes come', async () => {
    const source = memoryStore();
    await addIndex(source, name, [linux, { os: 'linux', architecture: 'arm64' }]);
    const archive = await archiveOf(source, name);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 4 }), async (sizes) => {
        const target = memoryStore();
        const report = await importStream(cut(archive, sizes), { target });
        expect(report.blobs).toBe(7);
        expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('from a pipe take only the platform that is asked for', async () => {
    const source = memoryStore();
    await addIndex(source, name, [linux, { os: 'linux', architecture: 'arm64' }]);
    const target = memoryStore();
    const report = await importStream(cut(await archiveOf(source, name)), { target, platforms: [linux] });
    expect(report.blobs).toBe(4);
    expect(report.gaps).toMatchObject([{ why: 'filtered' }]);
  });

  it('from a pipe that is cut off anywhere change nothing', async () => {
    const source = memoryStore();
    await addImages(source, { name });
    const archive = await archiveOf(source, name);
    for (let length = 0; length < archive.byteLength - 512; length += 512) {
      const target = memoryStore();
      await expect(importStream(cut(archive.subarray(0, length)), { target })).rejects.toSatisfy((error) => isOciTarError(error));
      expect(await listed(target)).toEqual([]);
    }
  });

  it('find a flipped bit anywhere, and keep nothing under a wrong digest', async () => {
    const source = memoryStore();
    await addImages(source, { name });
    const archive = await archiveOf(source, name);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: archive.byteLength - 1 }), fc.integer({ min: 0, max: 7 }), async (at, bit) => {
        const damaged = Uint8Array.from(archive);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        for (const load of [async (target: ImageStore) => importImages(await opened(damaged), { target }), (target: ImageStore) => importStream(cut(damaged), { target })]) {
          const target = memoryStore();
          // Padding, times and the like may change without harm; whatever is taken must verify.
          const error = await load(target).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (error !== undefined) expect(isOciTarError(error)).toBe(true);
          expect((await verifyImages(target, await listed(target))).problems).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('abort: the signal reaches the sink and its reason comes out', async () => {
    const source = memoryStore();
    await addImages(source, { name });
    const output = new MemorySink();
    const controller = new AbortController();
    const reason = new Error('enough');
    const exporting = exportImages({
      source,
      references: [name],
      output,
      signal: controller.signal,
      onEvent: (event) => event.type === 'start' && controller.abort(reason),
    });
    await expect(exporting).rejects.toBe(reason);
    expect(output.ended).toBe('aborted');
  });
});

describe('names on import', () => {
  const tagged = async (ref: string | undefined) => {
    const source = memoryStore();
    await addImages(source, ref === undefined ? {} : { name: ref });
    return source;
  };

  it('complete a bare tag with the base name, or with import- and the day', async () => {
    for (const [baseName, expected] of [['example.org/app', 'example.org/app:v1'], [undefined, expect.stringMatching(/^docker\.io\/library\/import-\d{4}-\d\d-\d\d:v1$/)]] as const) {
      const target = memoryStore();
      await importImages(await tagged('v1'), { target, ...(baseName === undefined ? {} : { baseName }) });
      expect(await listed(target)).toMatchObject([{ name: expected as string }]);
    }
  });

  it('leave out full names that do not begin with the base name, at a border', async () => {
    const source = memoryStore();
    await addImages(source, { name: 'example.org/app:1' }, { name: 'example.org/app/sub:1' }, { name: 'example.org/apple:1' });
    const target = memoryStore();
    await importImages(source, { target, baseName: 'example.org/app' });
    expect((await listed(target)).map((image) => image.name)).toEqual(['example.org/app:1', 'example.org/app/sub:1']);
    await expect(importImages(source, { target, baseName: 'example.org/none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('need a new name for an image without one, and give it to one image only', async () => {
    const target = memoryStore();
    await expect(importImages(await tagged(undefined), { target })).rejects.toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('NEW-NAME') as string });
    await importImages(await tagged(undefined), { target, name: 'fresh' });
    expect(await listed(target)).toMatchObject([{ name: 'docker.io/library/fresh:latest' }]);
    const two = memoryStore();
    await addImages(two, { name: 'a:1' }, { name: 'b:1', layers: [{ b: 'b' }] });
    await expect(importImages(two, { target, name: 'one' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('copy', () => {
  it('takes the one image of a place, or says which there are', async () => {
    const source = memoryStore();
    await addImages(source, { name: 'v1' });
    const target = memoryStore();
    await copyImage({ source, target, name: 'v2' });
    expect(await listed(target)).toMatchObject([{ name: 'v2' }]);
    await addImages(source, { name: 'v3', layers: [{ three: '3' }] });
    await expect(copyImage({ source, target })).rejects.toMatchObject({ code: 'CONFLICT', hint: expect.stringContaining('v3') as string });
    await expect(copyImage({ source, target, reference: 'v4' })).rejects.toMatchObject({ code: 'NOT_FOUND', hint: expect.stringContaining('v1') as string });
  });

  it('moves a name to its new image', async () => {
    const target = memoryStore();
    for (const text of ['old', 'new']) {
      const source = memoryStore();
      await addImages(source, { name, layers: [{ text }] });
      await copyImage({ source, target });
    }
    expect(await listed(target)).toHaveLength(1);
  });
});
