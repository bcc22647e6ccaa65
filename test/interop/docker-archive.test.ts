import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesSource, codecByName, importImages, importStream, openArchive, openTarget, copyImage, parseManifest, readBlob } from '@oci-tar/core';
import type { ImageStore } from '@oci-tar/core';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { listed } from '../support/images.ts';
import { digestsOf, expectVerified, exported, freshStore, imported, temporaryDirectory, treeOf } from './files.ts';
import { here, makeSamples, sampleKeys } from './images.ts';
import type { SampleKey, Samples } from './images.ts';
import { buildah } from './peers/buildah.ts';
import { dockerd } from './peers/dockerd.ts';
import type { Dockerd } from './peers/dockerd.ts';
import { describeWith } from './peers/peer.ts';
import { podman } from './peers/podman.ts';
import { skopeo } from './peers/skopeo.ts';
import { failureOf } from './peers/tool.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Without zstd layers, which skopeo, podman and buildah refuse to put into a docker archive. */
const kinds: readonly SampleKey[] = ['gzip', 'two', 'plain', 'named'];

/** The digest of each image's config, which docker calls its ID, by name. */
async function configsOf(store: ImageStore): Promise<ReadonlyMap<string | undefined, string>> {
  const configs = new Map<string | undefined, string>();
  for (const { name, descriptor } of await listed(store)) configs.set(name, parseManifest(await readBlob(store, descriptor)).config.digest);
  return configs;
}

/** A docker archive of ours with one image of the store. */
async function dockerArchive(own: string, source: ImageStore, reference: string): Promise<string> {
  const path = join(await mkdtemp(join(own, 'docker-archive-')), 'out.tar');
  const target = await openTarget({ scheme: 'docker-archive', path }, { store: '' });
  await copyImage({ source, target, reference, platforms: [here] });
  return path;
}

/** What is found in a docker archive of a peer, by file and by pipe: whole, the same both ways, of the same IDs as in our samples. */
async function expectSame(own: string, archive: string, keys: readonly SampleKey[], spelled: (name: string) => string = (name) => name): Promise<ImageStore> {
  const store = await imported(own, archive);
  const piped = await freshStore(own);
  await importStream(bytesSource(await readFile(archive)).read(), { target: piped });
  await expectVerified(piped);
  expect(await digestsOf(piped)).toEqual(await digestsOf(store));
  expect(await configsOf(store)).toEqual(new Map(keys.map((key) => [spelled(samples.of[key].name), samples.of[key].config])));
  return store;
}

describeWith('docker archives of docker (docker save, docker load)', dockerd, (lent) => {
  const idOf = async (peer: Dockerd, name: string) => (await peer.docker('image', 'inspect', '--format', '{{.Id}}', name)).trim();

  it('what docker saves is imported, verified, exported in both forms, and loaded again under its ID', async () => {
    const { peer, directory: own } = lent();
    const keys: readonly SampleKey[] = ['two', 'named', 'plain'];
    for (const key of keys) await peer.docker('load', '--input', await exported(own, samples.store, [samples.of[key].name]));
    const saved = join(own, 'saved.tar');
    await peer.docker('save', '--output', saved, ...keys.map((key) => samples.of[key].name));
    const store = await expectSame(own, saved, keys);
    for (const key of keys) {
      const { name, config } = samples.of[key];
      for (const archive of [await exported(own, store, [name]), await dockerArchive(own, store, name)]) {
        await peer.docker('image', 'rm', '--force', name);
        await peer.docker('load', '--input', archive);
        expect(await idOf(peer, name), name).toBe(config);
      }
    }
  });

  it.each(sampleKeys)('docker loads our docker archive of an image of kind %s', async (key) => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of[key];
    const said = await peer.docker('load', '--input', await dockerArchive(own, samples.store, name));
    expect(said).toContain('Loaded image');
    expect(await idOf(peer, name)).toBe(config);
    await peer.docker('image', 'rm', '--force', name);
  });

  it('what was imported with compressed layers has the ID that it had', async () => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of.two;
    await peer.docker('load', '--input', await exported(own, samples.store, [name]));
    const saved = join(own, 'to-compress.tar');
    await peer.docker('save', '--output', saved, name);
    await peer.docker('image', 'rm', '--force', name);
    const store = await imported(own, saved, { compressBlobs: true });
    await peer.docker('load', '--input', await exported(own, store, [name], { compression: codecByName('gzip') }));
    expect(await idOf(peer, name)).toBe(config);
  });
});

describeWith('docker archives of podman (podman save, podman load)', podman, (lent) => {
  beforeEach(() => lent().peer('image', 'rm', '--all', '--force'));
  const idOf = async (name: string) => `sha256:${(await lent().peer('image', 'inspect', '--format', '{{.Id}}', name)).trim()}`;

  it('what podman saves is imported, verified, exported in both forms, and loaded again under its ID', async () => {
    const { peer, directory: own } = lent();
    for (const key of kinds) {
      const { name, config } = samples.of[key];
      await peer('load', '--input', await exported(own, samples.store, [name]));
      const saved = join(own, `${key}.tar`);
      await peer('save', '--quiet', '--format', 'docker-archive', '--output', saved, name);
      const store = await expectSame(own, saved, [key]);
      for (const archive of [await exported(own, store, [name]), await dockerArchive(own, store, name)]) {
        await peer('image', 'rm', '--all', '--force');
        await peer('load', '--input', archive);
        expect(await idOf(name), key).toBe(config);
      }
    }
  });

  it('an archive of several images is imported whole', async () => {
    const { peer, directory: own } = lent();
    const keys: readonly SampleKey[] = ['two', 'named'];
    for (const key of keys) await peer('load', '--input', await exported(own, samples.store, [samples.of[key].name]));
    const saved = join(own, 'several.tar');
    await peer('save', '--quiet', '--multi-image-archive', '--format', 'docker-archive', '--output', saved, ...keys.map((key) => samples.of[key].name));
    await expectSame(own, saved, keys);
  });

  it.each(sampleKeys)('podman loads our docker archive of an image of kind %s under its name', async (key) => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of[key];
    expect(await peer('load', '--input', await dockerArchive(own, samples.store, name))).toContain(name);
    expect(await idOf(name)).toBe(config);
  });

  it('what podman unpacks of our docker archive is the tree that the image was made of', async () => {
    const { peer, directory: own } = lent();
    const { name } = samples.of.two;
    await peer('load', '--input', await dockerArchive(own, samples.store, name));
    const mounted = (await peer('image', 'mount', name)).trim();
    try {
      expect(await treeOf(mounted)).toEqual(await treeOf(samples.merged));
    } finally {
      await peer('image', 'unmount', name);
    }
  });
});

describeWith('docker archives of skopeo', skopeo, (lent) => {
  it.each(kinds)('what skopeo writes of an image of kind %s is imported, verified and read by skopeo again', async (key) => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of[key];
    const theirs = join(own, `${key}.tar`);
    await peer('copy', `oci:${samples.path}:${name}`, `docker-archive:${theirs}:${name}`);
    const store = await expectSame(own, theirs, [key]);
    for (const archive of [await dockerArchive(own, store, name), await dockerArchive(own, samples.store, name)]) {
      expect((await peer('list-tags', `docker-archive:${archive}`)).replaceAll(/\s/g, '')).toContain(`"${name}"`);
      // To a place that keeps docker's types, since skopeo writes the config anew for an OCI layout.
      const back = join(await mkdtemp(join(own, 'back-')), 'dir');
      await peer('copy', `docker-archive:${archive}:${name}`, `dir:${back}`);
      const { config: copied } = JSON.parse(await readFile(join(back, 'manifest.json'), 'utf8')) as { config: { digest: string } };
      expect(copied.digest).toBe(config);
    }
  });

  it('an image with zstd layers, which skopeo does not put into a docker archive, it reads out of ours', async () => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of.zstd;
    const refusal = await failureOf(peer('copy', `oci:${samples.path}:${name}`, `docker-archive:${join(own, 'zstd.tar')}:${name}`));
    expect(refusal).toContain('zstd compression is not supported');
    const inspected = JSON.parse(await peer('inspect', '--raw', `docker-archive:${await dockerArchive(own, samples.store, name)}:${name}`)) as { config: { digest: string } };
    expect(inspected.config.digest).toBe(config);
  });

  it('an archive is the same bytes as before when it went through our store and back', async () => {
    const { peer, directory: own } = lent();
    const { name } = samples.of.two;
    const first = await dockerArchive(own, samples.store, name);
    const again = await dockerArchive(own, await imported(own, first), name);
    expect(await readFile(again)).toEqual(await readFile(first));
    expect((await peer('inspect', '--raw', `docker-archive:${again}`)).length).toBeGreaterThan(0);
  });
});

describeWith('docker archives of buildah', buildah, (lent) => {
  it('what buildah pushes to docker-archive: is imported, verified and pulled again under its ID', async () => {
    const { peer, directory: own } = lent();
    for (const key of kinds) {
      const { name } = samples.of[key];
      const id = (await peer('pull', `oci-archive:${await exported(own, samples.store, [name])}`)).trim();
      const theirs = join(own, `${key}.tar`);
      await peer('push', id, `docker-archive:${theirs}:${name}`);
      const store = await expectSame(own, theirs, [key]);
      await peer('rmi', '--force', id);
      const again = (await peer('pull', `docker-archive:${await dockerArchive(own, store, name)}`)).trim();
      expect(`sha256:${again.split('\n').at(-1)}`).toBe(samples.of[key].config);
      await peer('rmi', '--force', again.split('\n').at(-1) ?? '');
    }
  });

  it('an image that buildah built is imported from its docker archive', async () => {
    const { peer, directory: own } = lent();
    const container = (await peer('from', 'scratch')).trim();
    await peer('copy', container, samples.merged, '/');
    await peer('config', '--cmd', '/bin/true', '--env', 'A=b', container);
    const id = (await peer('commit', '--quiet', container, 'localhost/built:1')).trim().split('\n').at(-1) ?? '';
    const theirs = join(own, 'built.tar');
    await peer('push', id, `docker-archive:${theirs}:localhost/built:1`);
    const source = await openArchive(theirs);
    const target = await freshStore(own);
    await importImages(source, { target });
    await source.close();
    await expectVerified(target);
    expect([...(await configsOf(target))]).toEqual([['localhost/built:1', `sha256:${id.replace('sha256:', '')}`]]);
  });
});
