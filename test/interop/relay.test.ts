import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mediaTypes } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listed } from '../support/images.ts';
import { entriesOf, expectVerified, exported, imported, temporaryDirectory } from './files.ts';
import { makeSamples } from './images.ts';
import type { Samples } from './images.ts';
import { containerd } from './peers/containerd.ts';
import type { Containerd } from './peers/containerd.ts';
import { describeWith } from './peers/peer.ts';
import type { Needs } from './peers/peer.ts';
import { skopeo } from './peers/skopeo.ts';
import type { Skopeo } from './peers/skopeo.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Both {
  readonly containerd: Containerd;
  readonly skopeo: Skopeo;
}

const both: Needs<Both> = {
  tools: [...containerd.tools, ...skopeo.tools],
  root: true,
  start: async (own) => ({ containerd: await containerd.start(own), skopeo: await skopeo.start(own) }),
  stop: (peers) => peers.containerd.stop(),
  log: (peers) => peers.containerd.log(),
};

describeWith('from skopeo by way of containerd and our store', both, (lent) => {
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
