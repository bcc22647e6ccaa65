import { describe, expect, it } from 'vitest';
import { exportImages, layoutStore, makePlan, tarReader, tarWriter } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { indexTar } from '../../packages/core/src/tar/seek.ts';
import { addImages, addIndex, linux, memoryStore } from '../support/images.ts';
import { MemorySink } from '../support/sinks.ts';

const arm64 = { os: 'linux', architecture: 'arm64' };

async function exported(source: ImageStore, ...references: readonly string[]): Promise<MemorySink> {
  const output = new MemorySink();
  await exportImages({ source, references, output });
  return output;
}

async function json(archive: MemorySink, path: string): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await (await tarReader(archive.source())).reader(path)).read()) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}

describe('an archive', () => {
  it('has its metadata first: the layout, index.json, manifest.json, then indexes, manifests, configs and layers', async () => {
    const source = memoryStore();
    await addIndex(source, 'docker.io/library/multi:1', [linux, arm64]);
    const archive = await exported(source, 'multi:1');
    const plan = await makePlan(source, [await source.resolve('multi:1')]);
    const roles = new Map([...plan.contents].map(([digest, { role }]) => [`blobs/sha256/${digest.slice(7)}`, role]));
    const order = (await indexTar(archive.source())).map(({ path }) => roles.get(path) ?? path);
    expect(order).toEqual([
      'blobs/', 'blobs/sha256/', 'oci-layout', 'index.json', 'manifest.json', 'index', 'manifest', 'manifest', 'config', 'config', 'layer', 'layer',
    ]);
  });

  it('names images as ctr does: the full name and its tag; a bare tag stays one', async () => {
    const source = memoryStore();
    await addImages(source, { name: 'docker.io/library/hello:1' }, { name: 'v2', layers: [{ two: '2' }] });
    expect(await json(await exported(source, 'hello:1', 'v2'), 'index.json')).toMatchObject({
      schemaVersion: 2,
      manifests: [
        { annotations: { 'io.containerd.image.name': 'docker.io/library/hello:1', 'org.opencontainers.image.ref.name': '1' } },
        { annotations: { 'org.opencontainers.image.ref.name': 'v2' } },
      ],
    });
  });

  it('has one item of manifest.json for one manifest of several names, with the familiar ones', async () => {
    const source = memoryStore();
    await addImages(source, { name: 'docker.io/library/hello:1' }, { name: 'example.org:5000/app/hello:2' });
    const items = await json(await exported(source, 'hello:1', 'example.org:5000/app/hello:2'), 'manifest.json');
    expect(items).toMatchObject([{ RepoTags: ['hello:1', 'example.org:5000/app/hello:2'], Layers: [expect.stringMatching(/^blobs\/sha256\/[0-9a-f]{64}$/)] }]);
    expect(items).toHaveLength(1);
  });

  it('gives manifest.json no name by digest, on which docker load fails', async () => {
    const source = memoryStore();
    const [image] = await addImages(source, { name: 'docker.io/library/hello:1' });
    const byDigest = `docker.io/library/hello@${image?.descriptor.digest}`;
    await addImages(source, { name: byDigest });
    expect(await json(await exported(source, byDigest, 'hello:1'), 'manifest.json')).toMatchObject([{ RepoTags: ['hello:1'] }]);
    expect(await json(await exported(source, byDigest), 'manifest.json')).toMatchObject([{ RepoTags: null }]);
  });

  it('stands in manifest.json with linux/amd64 of several platforms, wherever that comes, and else with the first', async () => {
    for (const [platforms, expected] of [[[arm64, linux], 'amd64'], [[{ os: 'linux', architecture: 's390x' }, arm64], 's390x']] as const) {
      const source = memoryStore();
      await addIndex(source, 'docker.io/library/multi:1', platforms);
      const archive = await exported(source, 'multi:1');
      const [item] = (await json(archive, 'manifest.json')) as [{ Config: string }];
      expect(await json(archive, item.Config)).toMatchObject({ architecture: expected });
    }
  });

  it('is not begun with a name that its plan does not have, and not ended without all of its blobs', async () => {
    const source = memoryStore();
    const [image] = await addImages(source, { name: 'a:1' });
    if (image === undefined) throw new Error('no image');
    const plan = await makePlan(source, [image]);
    const sink = new MemorySink();
    const session = await layoutStore(tarWriter(sink)).begin?.(plan);
    const root = plan.contents.get(image.descriptor.digest);
    if (session === undefined || root === undefined) throw new Error('no session');
    await expect(session.name('b:1', root)).rejects.toMatchObject({ code: 'CONFLICT' });
    await session.push(root);
    await expect(session.end()).rejects.toMatchObject({ code: 'CONFLICT' });
    await session.abort();
    expect(sink.ended).toBe('aborted');
  });
});
