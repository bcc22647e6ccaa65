import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyImage, digestBytes, openDir, verifyImages } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listed } from '../support/images.ts';
import { temporaryDirectory } from './files.ts';
import { makeSamples, sampleKeys } from './images.ts';
import type { SampleKey, Samples } from './images.ts';
import { buildah } from './peers/buildah.ts';
import { describeWith } from './peers/peer.ts';
import { podman } from './peers/podman.ts';
import { skopeo } from './peers/skopeo.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function copyInto(path: string, key: SampleKey): Promise<void> {
  const target = await openDir(path, { mayBeNew: true });
  await copyImage({ source: samples.store, target, reference: samples.of[key].name, platforms: 'all' }).finally(() => target.close());
}

async function ours(own: string, key: SampleKey): Promise<string> {
  const path = join(await mkdtemp(join(own, `ours-${key}-`)), 'dir');
  await copyInto(path, key);
  return path;
}

/** What a directory of theirs holds, every blob of it checked. */
async function digestAt(path: string): Promise<string | undefined> {
  const store = await openDir(path);
  const images = await listed(store);
  expect((await verifyImages(store, images)).problems).toEqual([]);
  return images[0]?.descriptor.digest;
}

describeWith('skopeo and directories of its own form', skopeo, (lent) => {
  it.each(sampleKeys)('skopeo copies an image of kind %s out of our directory, every blob checked, under its digest', async (key) => {
    const { peer, directory: own } = lent();
    const path = await ours(own, key);
    expect((await peer('inspect', '--format', '{{.Digest}}', `dir:${path}`)).trim()).toBe(samples.of[key].digest);
    const theirs = join(own, key);
    await peer('copy', '--all', '--preserve-digests', `dir:${path}`, `dir:${theirs}`);
    expect(await digestAt(theirs)).toBe(samples.of[key].digest);
    const names = await readdir(path);
    expect((await readdir(theirs)).toSorted()).toEqual(names.toSorted());
    for (const name of names) expect(await digestBytes(await readFile(join(path, name))), name).toBe(await digestBytes(await readFile(join(theirs, name))));
  });

  it('each writes over what the other wrote, and nothing of it stays', async () => {
    const { peer, directory: own } = lent();
    const path = await ours(own, 'two');
    await peer('copy', '--all', '--preserve-digests', `oci:${samples.path}:${samples.of.multi.name}`, `dir:${path}`);
    expect(await digestAt(path)).toBe(samples.of.multi.digest);
    await copyInto(path, 'gzip');
    expect(await digestAt(path)).toBe(samples.of.gzip.digest);
    expect((await readdir(path)).toSorted()).toEqual((await readdir(await ours(own, 'gzip'))).toSorted());
  });

  it('skopeo goes on from a directory in which a copy of ours ended in the middle', async () => {
    const { peer, directory: own } = lent();
    const path = join(own, 'cut');
    const target = await openDir(path, { mayBeNew: true });
    const controller = new AbortController();
    const copied = copyImage({ source: samples.store, target, reference: samples.of.two.name, jobs: 1, signal: controller.signal, onEvent: ({ type }) => (type === 'done' ? controller.abort() : undefined) });
    await expect(copied.finally(() => target.close())).rejects.toThrow();
    expect(await readdir(path)).not.toContain('manifest.json');
    await expect(peer('inspect', `dir:${path}`)).rejects.toThrow('manifest.json');
    await peer('copy', '--preserve-digests', `oci:${samples.path}:${samples.of.two.name}`, `dir:${path}`);
    expect(await digestAt(path)).toBe(samples.of.two.digest);
  });
});

describeWith('podman and directories as skopeo writes them', podman, (lent) => {
  it('podman pulls our directory under its digest', async () => {
    const { peer, directory: own } = lent();
    const id = (await peer('pull', '--quiet', `dir:${await ours(own, 'two')}`)).trim();
    expect((await peer('image', 'inspect', '--format', '{{.Digest}}', id)).trim()).toBe(samples.of.two.digest);
  });
});

describeWith('buildah and directories as skopeo writes them', buildah, (lent) => {
  it('buildah pulls our directory under its digest, and we read and verify the one that it pushes', async () => {
    const { peer, directory: own } = lent();
    const id = (await peer('pull', '--quiet', `dir:${await ours(own, 'two')}`)).trim();
    expect((await peer('inspect', '--type', 'image', '--format', '{{.FromImageDigest}}', id)).trim()).toBe(samples.of.two.digest);
    const theirs = join(own, 'pushed');
    await peer('push', '--quiet', id, `dir:${theirs}`);
    expect(await digestAt(theirs)).toMatch(/^sha256:/);
  });
});
