import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { localStore, openArchive, serveRegistry } from '@oci-tar/core';
import type { ImageStore, RunningServer } from '@oci-tar/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestsOf, expectVerified, exported, temporaryDirectory } from './files.ts';
import { makeSamples } from './images.ts';
import type { Samples } from './images.ts';
import { buildah } from './peers/buildah.ts';
import { containerd } from './peers/containerd.ts';
import { dockerd } from './peers/dockerd.ts';
import { describeWith } from './peers/peer.ts';
import { podman } from './peers/podman.ts';
import { skopeo } from './peers/skopeo.ts';

let directory: string;
let samples: Samples;
let archive: ImageStore;
let pushed: ImageStore;
let server: RunningServer;

beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
  archive = await openArchive(await exported(directory, samples.store, (['gzip', 'two', 'multi', 'zstd'] as const).map((key) => samples.of[key].name)));
  pushed = await localStore(join(directory, 'pushed'));
  server = await serveRegistry({ listen: '127.0.0.1:0', places: [{ store: archive }], writable: pushed, allowDelete: true });
});

afterAll(async () => {
  await server.stop({ grace: 1000 });
  await archive.close();
  await pushed.close();
  await rm(directory, { recursive: true, force: true });
});

/** What was pushed lies in the store, under its name, with this digest and whole. */
async function expectPushed(name: string, digest: string): Promise<void> {
  expect((await digestsOf(pushed)).get(`docker.io/${name}`)).toBe(digest);
  await expectVerified(pushed);
}

describeWith('skopeo and a served archive', skopeo, (lent) => {
  const there = (name: string) => `docker://${server.host}/${name}`;

  it.each(['hello:1', 'library/hello:1', 'docker.io/library/hello:1'])('skopeo finds %s', async (name) => {
    expect((await lent().peer('inspect', '--tls-verify=false', '--format', '{{.Digest}}', there(name))).trim()).toBe(samples.of.gzip.digest);
  });

  it('skopeo copies an image of several platforms out of it, and back into it', async () => {
    const { peer, directory: own } = lent();
    await peer('copy', '--all', '--src-tls-verify=false', there('multi:m'), `oci:${own}/layout:m`);
    await peer('copy', '--all', '--dest-tls-verify=false', `oci:${own}/layout:m`, there('skopeo/multi:m'));
    await expectPushed('skopeo/multi:m', samples.of.multi.digest);
  });

  it('skopeo lists tags, and deletes', async () => {
    const { peer, directory: own } = lent();
    await peer('copy', '--src-tls-verify=false', there('hello:1'), `oci:${own}/layout:1`);
    await peer('copy', '--dest-tls-verify=false', `oci:${own}/layout:1`, there('skopeo/gone:1'));
    expect(JSON.parse(await peer('list-tags', '--tls-verify=false', there('skopeo/gone')))).toMatchObject({ Tags: ['1'] });
    await peer('delete', '--tls-verify=false', there('skopeo/gone:1'));
    expect([...(await digestsOf(pushed)).keys()].filter((name) => name?.includes('skopeo/gone'))).toEqual([]);
  });
});

describeWith('ctr and a served archive', containerd, (lent) => {
  it.each(['gzip', 'two', 'multi', 'zstd'] as const)('ctr pulls an image of kind %s', async (key) => {
    const { name, digest } = samples.of[key];
    const reference = `${server.host}/${name.slice(name.indexOf('/') + 1)}`;
    await lent().peer.ctr('images', 'pull', '--plain-http', '--snapshotter', 'native', reference);
    expect((await lent().peer.images()).get(reference)).toBe(digest);
  });

  it('ctr pulls through it as a mirror of docker.io', async () => {
    const { peer, directory: own } = lent();
    await mkdir(join(own, 'hosts/docker.io'), { recursive: true });
    await writeFile(join(own, 'hosts/docker.io/hosts.toml'), `server = "http://127.0.0.1:1"\n[host."http://${server.host}"]\n  capabilities = ["pull", "resolve"]\n`);
    const { name, digest } = samples.of.gzip;
    await peer.ctr('images', 'pull', '--hosts-dir', join(own, 'hosts'), '--snapshotter', 'native', name);
    expect((await peer.images()).get(name)).toBe(digest);
  });

  it('ctr pushes what it has pulled', async () => {
    const reference = `${server.host}/team/two:2.0`;
    await lent().peer.ctr('images', 'pull', '--plain-http', '--snapshotter', 'native', reference);
    await lent().peer.ctr('images', 'push', '--plain-http', `${server.host}/ctr/two:2.0`, reference);
    await expectPushed('ctr/two:2.0', samples.of.two.digest);
  });
});

describeWith('docker and a served archive', dockerd, (lent) => {
  it.each(['gzip', 'two'] as const)('docker pulls an image of kind %s, by tag and by digest', async (key) => {
    const { name, digest, config } = samples.of[key];
    const path = name.slice(name.indexOf('/') + 1);
    for (const reference of [path, `${path.slice(0, path.indexOf(':'))}@${digest}`]) {
      await lent().peer.docker('pull', `${server.host}/${reference}`);
      expect((await lent().peer.docker('image', 'inspect', '--format', '{{.Id}}', `${server.host}/${reference}`)).trim()).toBe(config);
    }
  });

  it('docker pulls its own platform of an index', async () => {
    await lent().peer.docker('pull', `${server.host}/multi:m`);
    expect((await lent().peer.docker('image', 'inspect', '--format', '{{.Id}}', `${server.host}/multi:m`)).trim()).toBe(samples.of.multi.config);
  });

  it('docker pushes, and pulls again what it has pushed', async () => {
    const { docker } = lent().peer;
    const name = `${server.host}/docker/two:1`;
    await docker('pull', `${server.host}/team/two:2.0`);
    await docker('tag', `${server.host}/team/two:2.0`, name);
    const [, digest = ''] = /digest: (sha256:[0-9a-f]{64})/.exec(await docker('push', name)) ?? [];
    await expectPushed('docker/two:1', digest);
    await docker('image', 'rm', '--force', name);
    await docker('pull', name);
    expect((await docker('image', 'inspect', '--format', '{{.Id}}', name)).trim()).toBe(samples.of.two.config);
  });
});

describeWith('podman and a served archive', podman, (lent) => {
  it('podman pulls, pushes, and finds what it has pushed', async () => {
    const { peer } = lent();
    const name = `${server.host}/team/two:2.0`;
    await peer('pull', '--tls-verify=false', name);
    expect(`sha256:${(await peer('image', 'inspect', '--format', '{{.Id}}', name)).trim()}`).toBe(samples.of.two.config);
    await peer('push', '--tls-verify=false', name, `docker://${server.host}/podman/two:1`);
    expect([...(await digestsOf(pushed)).keys()]).toContain('docker.io/podman/two:1');
    await expectVerified(pushed);
    await peer('pull', '--tls-verify=false', `${server.host}/podman/two:1`);
  });
});

describeWith('buildah and a served archive', buildah, (lent) => {
  it('buildah pulls from it and pushes to it', async () => {
    const { peer } = lent();
    await peer('pull', '--tls-verify=false', `${server.host}/hello:1`);
    await peer('push', '--tls-verify=false', `${server.host}/hello:1`, `docker://${server.host}/buildah/hello:1`);
    expect([...(await digestsOf(pushed)).keys()]).toContain('docker.io/buildah/hello:1');
    await expectVerified(pushed);
  });
});
