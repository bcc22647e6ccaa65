import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { exported, temporaryDirectory, treeOf } from './files.ts';
import { makeSamples, moreNames, sampleKeys } from './images.ts';
import type { SampleKey, Samples } from './images.ts';
import { describeWith } from './peers/peer.ts';
import { podman } from './peers/podman.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const single: readonly SampleKey[] = ['gzip', 'two', 'zstd', 'plain'];

describeWith('podman and our archives', podman, (lent) => {
  const inspect = async (name: string, field: string) => (await lent().peer('image', 'inspect', '--format', `{{.${field}}}`, name)).trim();
  // podman keeps one manifest for each ID, which is the config's digest: two images with one config would share it.
  beforeEach(() => lent().peer('image', 'rm', '--all', '--force'));

  it.each(single)('podman loads an image of kind %s under its name and digest', async (key) => {
    const { peer, directory: own } = lent();
    const { name, digest, config } = samples.of[key];
    const said = await peer('load', '--input', await exported(own, samples.store, [name]));
    expect(said.trim()).toBe(`Loaded image: ${name}`);
    expect(await inspect(name, 'Digest')).toBe(digest);
    expect(`sha256:${await inspect(name, 'Id')}`).toBe(config);
  });

  it("podman loads this machine's platform of an index, under its name", async () => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of.multi;
    await peer('load', '--input', await exported(own, samples.store, [name]));
    expect(`sha256:${await inspect(name, 'Id')}`).toBe(config);
  });

  it('podman loads all images and all names of one archive, by its manifest.json', async () => {
    const { peer, directory: own } = lent();
    const all = sampleKeys.map((key) => samples.of[key]);
    const said = await peer('load', '--input', await exported(own, samples.store, [...all.map(({ name }) => name), ...moreNames]));
    for (const { name, config } of [...all, ...moreNames.map((more) => ({ ...samples.of.named, name: more }))]) {
      // podman completes a name without a host, which is how docker spells its own, with localhost/.
      const taken = [name, name.replace(/^docker\.io\/(?:library\/)?/, 'localhost/')].find((spelling) => said.split(/[\s,]+/).includes(spelling));
      expect(taken, `${name} in ${said}`).toBeDefined();
      expect(`sha256:${await inspect(taken ?? '', 'Id')}`, name).toBe(config);
    }
  });

  it('what podman unpacks is the tree that the image was made of', async () => {
    const { peer, directory: own } = lent();
    const { name } = samples.of.two;
    await peer('load', '--input', await exported(own, samples.store, [name]));
    const mounted = (await peer('image', 'mount', name)).trim();
    try {
      expect(await treeOf(mounted)).toEqual(await treeOf(samples.merged));
    } finally {
      await peer('image', 'unmount', name);
    }
  });
});
