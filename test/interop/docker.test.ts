import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exported, temporaryDirectory, treeOf } from './files.ts';
import { here, makeSamples, moreNames, sampleKeys } from './images.ts';
import type { Samples } from './images.ts';
import { dockerd } from './peers/dockerd.ts';
import type { Dockerd } from './peers/dockerd.ts';
import { describeWith } from './peers/peer.ts';
import { failureOf, run } from './peers/tool.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The image ID; with the classic store that is the digest of the config, since that store keeps no manifests. */
const idOf = async (peer: Dockerd, name: string) => (await peer.docker('image', 'inspect', '--format', '{{.Id}}', name)).trim();

/** Layers compressed with zstd came with docker 23. */
const knowsZstd = async (peer: Dockerd) => Number.parseInt(await peer.docker('version', '--format', '{{.Server.Version}}'), 10) >= 23;

describeWith('docker and our archives', dockerd, (lent) => {
  it.each(sampleKeys)('docker loads an image of kind %s, with its config unchanged', async (key) => {
    const { peer, directory: own } = lent();
    const { name, familiar, config } = samples.of[key];
    if (key === 'zstd' && !(await knowsZstd(peer))) {
      const refusal = await failureOf(peer.docker('load', '--input', await exported(own, samples.store, [name])));
      expect(refusal).toContain('archive/tar: invalid tar header');
      return;
    }
    const said = await peer.docker('load', '--input', await exported(own, samples.store, [name]));
    expect(said.trim()).toBe(`Loaded image: ${familiar}`);
    expect(await idOf(peer, name)).toBe(config);
    await peer.docker('image', 'rm', '--force', name);
  });

  it('docker loads all images and all names of one archive', async () => {
    const { peer, directory: own } = lent();
    const all = sampleKeys.map((key) => samples.of[key]);
    await peer.docker('load', '--input', await exported(own, samples.store, [...all.map(({ name }) => name), ...moreNames]));
    for (const { name, config } of [...all, ...moreNames.map((more) => ({ ...samples.of.named, name: more }))]) expect(await idOf(peer, name), name).toBe(config);
  });

  it('docker loads the one platform that an archive holds of two', async () => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of.multi;
    await peer.docker('load', '--input', await exported(own, samples.store, [name], { platforms: [here] }));
    expect(await idOf(peer, name)).toBe(config);
  });

  it('what docker unpacks holds the tree that the image was made of', async () => {
    const { peer, directory: own } = lent();
    const { name } = samples.of.two;
    await peer.docker('load', '--input', await exported(own, samples.store, [name]));
    const container = (await peer.docker('create', '--network', 'none', name)).trim();
    const tar = join(own, 'exported-by-docker.tar');
    await peer.docker('export', '--output', tar, container);
    await peer.docker('rm', container);
    const unpacked = join(own, 'unpacked');
    await mkdir(unpacked);
    await run('tar', ['--extract', '--file', tar, '--directory', unpacked]);
    const tree = await treeOf(unpacked);
    // docker adds what a container has of its own: /dev, /etc/hosts and so on.
    expect(tree).toEqual(expect.arrayContaining([...(await treeOf(samples.merged))]));
    expect(tree.filter((line) => line.startsWith('etc/gone'))).toEqual([]);
  });
});
