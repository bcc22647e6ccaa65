import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mediaTypes, openDirectory } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listed } from '../support/images.ts';
import { digestsOf, entriesOf, expectVerified, exported, imported, temporaryDirectory } from './files.ts';
import { makeSamples } from './images.ts';
import type { Samples } from './images.ts';
import { containerd } from './peers/containerd.ts';
import type { Containerd } from './peers/containerd.ts';
import { describeWith } from './peers/peer.ts';
import type { Needs } from './peers/peer.ts';
import { skopeo } from './peers/skopeo.ts';
import type { Skopeo } from './peers/skopeo.ts';
import { umoci } from './peers/umoci.ts';
import type { Umoci } from './peers/umoci.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Three {
  readonly containerd: Containerd;
  readonly skopeo: Skopeo;
  readonly umoci: Umoci;
}

const three: Needs<Three> = {
  tools: [...containerd.tools, ...skopeo.tools, ...umoci.tools],
  root: true,
  start: async (own) => ({ containerd: await containerd.start(own), skopeo: await skopeo.start(own), umoci: await umoci.start(own) }),
  stop: (peers) => peers.containerd.stop(),
  log: (peers) => peers.containerd.log(),
};

describeWith('from tool to tool by way of our store (skopeo, umoci, containerd)', three, (lent) => {
  it("skopeo's archive: imported by us, exported, unpacked by ctr", async () => {
    const { peer, directory: own } = lent();
    const { name, digest } = samples.of.two;
    const theirs = join(own, 'skopeo.tar');
    await peer.skopeo('copy', `oci:${samples.path}:${name}`, `oci-archive:${theirs}:${name}`);
    const ctr = peer.containerd.namespace('from-skopeo');
    await ctr.ctr('images', 'import', '--snapshotter', 'native', await exported(own, await imported(own, theirs), [name]));
    expect(await ctr.images()).toEqual(new Map([[name, digest]]));
  });

  it('an image that umoci built in a directory: exported by us, unpacked by ctr', async () => {
    const { peer, directory: own } = lent();
    const layout = join(own, 'umoci');
    const name = 'example.org/umoci/built:1';
    const bundle = join(own, 'bundle');
    await peer.umoci('init', '--layout', layout);
    await peer.umoci('new', '--image', `${layout}:${name}`);
    await peer.umoci('unpack', '--image', `${layout}:${name}`, bundle);
    await writeFile(join(bundle, 'rootfs', 'hello'), 'world\n');
    await peer.umoci('repack', '--image', `${layout}:${name}`, bundle);
    const store = await openDirectory(layout);
    const ctr = peer.containerd.namespace('from-umoci');
    await ctr.ctr('images', 'import', '--snapshotter', 'native', await exported(own, store, [name]));
    expect(await ctr.images()).toEqual(await digestsOf(store));
  });

  it("docker's media types, as ctr gives them to a docker archive, stay as they are", async () => {
    const { peer, directory: own } = lent();
    const { name } = samples.of.two;
    const docker = join(own, 'docker.tar');
    await peer.skopeo('copy', `oci:${samples.path}:${name}`, `docker-archive:${docker}:${name}`);
    const first = peer.containerd.namespace('docker-types');
    await first.ctr('images', 'import', '--no-unpack', docker);
    const theirs = join(own, 'docker-types.tar');
    await first.ctr('images', 'export', theirs, name);

    const store = await imported(own, theirs);
    await expectVerified(store);
    expect(await listed(store)).toMatchObject([{ name, descriptor: { mediaType: mediaTypes.dockerManifest } }]);
    const again = await exported(own, store, [name]);
    expect([...(await entriesOf(again)).entries.keys()].toSorted()).toEqual([...(await entriesOf(theirs)).entries.keys()].toSorted());
    const second = peer.containerd.namespace('docker-types-again');
    await second.ctr('images', 'import', '--snapshotter', 'native', again);
    expect(await second.images()).toEqual(await first.images());
    expect((await peer.skopeo('inspect', '--format', '{{.Digest}}', `oci-archive:${again}`)).trim()).toBe((await first.images()).get(name));
  });
});
