import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openDirectory } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestsOf, entriesOf, expectVerified, exported, imported, temporaryDirectory } from './files.ts';
import { makeSamples, moreNames, sampleKeys } from './images.ts';
import type { Samples } from './images.ts';
import { describeWith } from './peers/peer.ts';
import { skopeo } from './peers/skopeo.ts';
import type { Skopeo } from './peers/skopeo.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const inspect = async (peer: Skopeo, image: string) => (await peer('inspect', '--format', '{{.Digest}}', image)).trim();

describeWith('skopeo and our archives', skopeo, (lent) => {
  it.each(sampleKeys)('skopeo reads an image of kind %s out of an archive, under its digest', async (key) => {
    const { peer, directory: own } = lent();
    const { name, tag, digest } = samples.of[key];
    const archive = await exported(own, samples.store, [name]);
    expect(await inspect(peer, `oci-archive:${archive}`)).toBe(digest);
    expect(await inspect(peer, `oci-archive:${archive}:${tag}`)).toBe(digest);
  });

  it('skopeo picks one of several images by its tag', async () => {
    const { peer, directory: own } = lent();
    const { two, plain, multi } = samples.of;
    const archive = await exported(own, samples.store, [two, plain, multi].map(({ name }) => name));
    for (const { tag, digest } of [two, plain, multi]) expect(await inspect(peer, `oci-archive:${archive}:${tag}`)).toBe(digest);
  });

  it.each(sampleKeys)('skopeo copies an image of kind %s, every blob checked, and its copy comes back to us unchanged', async (key) => {
    const { peer, directory: own } = lent();
    const { name, digest } = samples.of[key];
    const archive = await exported(own, samples.store, [name]);
    const theirs = join(own, `copied-${key}.tar`);
    // Without --preserve-digests skopeo compresses plain layers, which makes another image.
    await peer('copy', '--all', '--preserve-digests', `oci-archive:${archive}`, `oci-archive:${theirs}:${name}`);
    const store = await imported(own, theirs);
    expect(await digestsOf(store)).toEqual(new Map([[name, digest]]));
    const again = await exported(own, store, [name]);
    expect((await entriesOf(again)).entries).toEqual((await entriesOf(archive)).entries);
    expect(await inspect(peer, `oci-archive:${again}`)).toBe(digest);
  });

  it('a tag alone, as skopeo writes it, gets the name that we are told', async () => {
    const { peer, directory: own } = lent();
    const { name, digest } = samples.of.gzip;
    const theirs = join(own, 'tag.tar');
    await peer('copy', `oci-archive:${await exported(own, samples.store, [name])}`, `oci-archive:${theirs}:v1`);
    expect(await digestsOf(await imported(own, theirs, { baseName: 'example.org/app' }))).toEqual(new Map([['example.org/app:v1', digest]]));
    expect(await digestsOf(await imported(own, theirs, { name: 'fresh:2' }))).toEqual(new Map([['docker.io/library/fresh:2', digest]]));
  });

  it('an archive without any name is imported under the one that we are told', async () => {
    const { peer, directory: own } = lent();
    const { name, digest } = samples.of.gzip;
    const theirs = join(own, 'nameless.tar');
    await peer('copy', `oci-archive:${await exported(own, samples.store, [name])}`, `oci-archive:${theirs}`);
    await expect(imported(own, theirs)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await digestsOf(await imported(own, theirs, { name: 'fresh:2' }))).toEqual(new Map([['docker.io/library/fresh:2', digest]]));
  });
});

describeWith('skopeo and directories', skopeo, (lent) => {
  it("skopeo reads our store's directory, by full names", async () => {
    const { peer } = lent();
    for (const { name, digest } of sampleKeys.map((key) => samples.of[key])) expect(await inspect(peer, `oci:${samples.path}:${name}`)).toBe(digest);
    for (const name of moreNames) expect(await inspect(peer, `oci:${samples.path}:${name}`)).toBe(samples.of.named.digest);
  });

  it("skopeo copies out of our store's directory, and we read and verify the directory that it makes", async () => {
    const { peer, directory: own } = lent();
    const layout = join(own, 'layout');
    const all = sampleKeys.map((key) => samples.of[key]);
    for (const { name } of all) await peer('copy', '--all', '--preserve-digests', `oci:${samples.path}:${name}`, `oci:${layout}:${name}`);
    const store = await openDirectory(layout);
    await expectVerified(store);
    expect(await digestsOf(store)).toEqual(new Map(all.map(({ name, digest }) => [name, digest])));
    const again = await imported(own, await exported(own, store, all.map(({ name }) => name)));
    expect(await digestsOf(again)).toEqual(await digestsOf(store));
  });

  it("skopeo adds an image to our store's directory; we see it beside the others", async () => {
    const { peer, directory: own } = lent();
    const store = await imported(own, await exported(own, samples.store, [samples.of.two.name]));
    const { name, digest } = samples.of.gzip;
    await peer('copy', `oci:${samples.path}:${name}`, `oci:${store.name}:${name}`);
    expect(await digestsOf(store)).toEqual(new Map([[samples.of.two.name, samples.of.two.digest], [name, digest]]));
    await expectVerified(store);
  });
});
