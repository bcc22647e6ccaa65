import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyImage, openDirectory } from '@oci-tar/core';
import type { Descriptor } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addCosign, addReferrer, referrersOf, sbomType } from '../support/referrers.ts';
import { exported, imported, temporaryDirectory } from './files.ts';
import { makeSamples } from './images.ts';
import type { Samples } from './images.ts';
import { containerd } from './peers/containerd.ts';
import { describeWith } from './peers/peer.ts';
import { podman } from './peers/podman.ts';
import { skopeo } from './peers/skopeo.ts';

let directory: string;
let samples: Samples;
let sbom: Descriptor;
let referrers: readonly string[];
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
  const { store, of } = samples;
  sbom = await addReferrer(store, of.two.descriptor, { artifactType: sbomType });
  const others = [await addReferrer(store, of.two.descriptor), await addReferrer(store, sbom), await addCosign(store, of.two.descriptor, 'example.org:5000/team/two')];
  referrers = [sbom, ...others].map(({ digest }) => digest).toSorted();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const signed = (own: string) => exported(own, samples.store, [samples.of.two.name], { referrers: true });

describeWith('containerd and archives with referrers', containerd, (lent) => {
  it.each([[], ['--all-platforms']])('ctr imports and unpacks the image, under its name alone: %s', async (...flags) => {
    const { peer, directory: own } = lent();
    const { name, digest } = samples.of.two;
    const ours = peer.namespace(`signed${flags.length}`);
    await ours.ctr('images', 'import', '--snapshotter', 'native', ...flags, await signed(own));
    expect(await ours.images()).toEqual(new Map([[name, digest]]));
  });
});

describeWith('podman and archives with referrers', podman, (lent) => {
  it('podman loads the image', async () => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of.two;
    await peer('load', '--input', await signed(own));
    expect((await peer('images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}')).trim()).toBe(`${name} ${config}`);
  });
});

describeWith('skopeo and referrers', skopeo, (lent) => {
  it('skopeo picks the image out of an archive by its tag, and copies it unchanged', async () => {
    const { peer, directory: own } = lent();
    const { name, tag, digest } = samples.of.two;
    const theirs = join(own, 'picked.tar');
    await peer('copy', '--preserve-digests', `oci-archive:${await signed(own)}:${tag}`, `oci-archive:${theirs}:${name}`);
    expect((await (await imported(own, theirs)).resolve(name)).descriptor.digest).toBe(digest);
  });

  it("skopeo finds cosign's signature in a layout by its tag, and leaves what has no tag alone when it adds an image", async () => {
    const { peer, directory: own } = lent();
    const { two, gzip } = samples.of;
    const layout = join(own, 'layout');
    const target = await openDirectory(layout, { mayBeNew: true });
    await copyImage({ source: samples.store, target, reference: two.name, name: 'v1', referrers: true });
    const signature = (await peer('inspect', '--raw', `oci:${layout}:${two.digest.replace(':', '-')}.sig`)).trim();
    expect(JSON.parse(signature)).toMatchObject({ layers: [{ mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json' }] });
    await peer('copy', `oci:${samples.path}:${gzip.name}`, `oci:${layout}:v2`);
    const found = [...(await referrersOf(target, two.descriptor)), ...(await referrersOf(target, sbom))];
    expect(found.map(({ digest }) => digest).toSorted()).toEqual(referrers);
  });
});
