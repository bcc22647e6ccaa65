import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestsOf, expectVerified, exported, imported, temporaryDirectory, treeOf } from './files.ts';
import { makeSamples, moreNames, sampleKeys } from './images.ts';
import type { SampleKey, Samples } from './images.ts';
import { listed } from '../support/images.ts';
import { describeWith } from './peers/peer.ts';
import { run } from './peers/tool.ts';
import { umoci } from './peers/umoci.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** umoci 0.4 unpacks gzip and plain layers, and no index of several platforms. */
const unpackable: readonly SampleKey[] = ['gzip', 'two', 'plain', 'named'];
const rootless = process.getuid?.() === 0 ? [] : ['--rootless'];

describeWith('umoci and our layouts', umoci, (lent) => {
  it("umoci lists the names in our store's directory", async () => {
    const said = await lent().peer('ls', '--layout', samples.path);
    expect(said.trim().split('\n').toSorted()).toEqual([...sampleKeys.map((key) => samples.of[key].name), ...moreNames].toSorted());
  });

  it.each(['gzip', 'two', 'zstd', 'plain', 'named'] as const)("umoci stats an image of kind %s in our store's directory, by its full name", async (key) => {
    const said: unknown = JSON.parse(await lent().peer('stat', '--json', '--image', `${samples.path}:${samples.of[key].name}`));
    expect(said).toMatchObject({ history: expect.arrayContaining([expect.objectContaining({ created_by: 'oci-tar create' })]) as unknown });
  });

  it.each(unpackable)('umoci unpacks an image of kind %s: every layer has its digest and diffID', async (key) => {
    const { peer, directory: own } = lent();
    await peer('unpack', ...rootless, '--image', `${samples.path}:${samples.of[key].name}`, join(own, key));
  });

  it('what umoci unpacks is the tree that the image was made of', async () => {
    const { peer, directory: own } = lent();
    const rootfs = join(own, 'rootfs');
    await peer('raw', 'unpack', ...rootless, '--image', `${samples.path}:${samples.of.two.name}`, rootfs);
    expect(await treeOf(rootfs)).toEqual(await treeOf(samples.merged));
  });

  it('umoci reads an archive of ours that tar has unpacked', async () => {
    const { peer, directory: own } = lent();
    const { name, tag } = samples.of.two;
    const layout = join(own, 'extracted');
    await mkdir(layout);
    await run('tar', ['--extract', '--file', await exported(own, samples.store, [name]), '--directory', layout]);
    expect((await peer('ls', '--layout', layout)).trim()).toBe(tag);
    await peer('unpack', ...rootless, '--image', `${layout}:${tag}`, join(own, 'bundle'));
    expect(await treeOf(join(own, 'bundle', 'rootfs'))).toEqual(await treeOf(samples.merged));
  });
});

describeWith('umoci and a store of ours that it writes into', umoci, (lent) => {
  it("what umoci changes in our store's directory is there for us, the other images untouched", async () => {
    const { peer, directory: own } = lent();
    const { two, gzip } = samples.of;
    const store = await imported(own, await exported(own, samples.store, [two.name, gzip.name]));
    await peer('tag', '--image', `${store.name}:${two.name}`, 'example.org/tagged:by-umoci');
    await peer('config', '--image', `${store.name}:${gzip.name}`, '--config.user', 'nobody');
    const digests = await digestsOf(store);
    expect(digests.get('example.org/tagged:by-umoci')).toBe(two.digest);
    expect(digests.get(two.name)).toBe(two.digest);
    expect(digests.get(gzip.name)).not.toBe(gzip.digest);
    expect(await listed(store)).toHaveLength(3);
    await expectVerified(store);
  });
});
