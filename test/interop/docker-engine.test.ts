import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyImage, digestBytes, digestStream, dockerContainers, dockerEngineStore, exportImages, importStream, openArchive, packTree, pieceBytes } from '@oci-tar/core';
import type { DockerContainers, DockerEngineStore, LoadProgress } from '@oci-tar/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { Cli } from '../cli/support.ts';
import { listed } from '../support/images.ts';
import { expectVerified, freshStore, temporaryDirectory, treeOf } from './files.ts';
import { here, makeSamples, sampleKeys } from './images.ts';
import type { Samples } from './images.ts';
import { dockerd } from './peers/dockerd.ts';
import type { Dockerd } from './peers/dockerd.ts';
import { describeWith } from './peers/peer.ts';

let directory: string;
let samples: Samples;
beforeAll(async () => {
  directory = await temporaryDirectory();
  samples = await makeSamples(directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const idOf = async (peer: Dockerd, name: string) => (await peer.docker('image', 'inspect', '--format', '{{.Id}}', name)).trim();
const hostOf = async (peer: Dockerd) => (await peer.docker('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}')).trim();

async function withEngine<T>(peer: Dockerd, work: (engine: DockerEngineStore) => Promise<T>, onLoad?: (progress: LoadProgress) => void): Promise<T> {
  const engine = await dockerEngineStore({ host: await hostOf(peer), ...(onLoad === undefined ? {} : { onLoad }) });
  return work(engine).finally(() => engine.close());
}

describeWith('the docker engine as a place', dockerd, (lent) => {
  it.each(sampleKeys)('takes an image of kind %s, and gives it back with its image ID', async (key) => {
    const { peer, directory: own } = lent();
    const { name, familiar, config } = samples.of[key];
    await withEngine(peer, async (engine) => {
      const platforms = key === 'multi' ? [here] : undefined;
      await copyImage({ source: samples.store, target: engine, reference: name, name: familiar, ...(platforms === undefined ? {} : { platforms }) });
      expect(await idOf(peer, name)).toBe(config);
      expect((await listed(engine)).map((image) => image.name)).toContain(name);
      const target = await freshStore(own);
      const report = await copyImage({ source: engine, target, reference: familiar, name });
      await expectVerified(target);
      expect(report.blobs).toBeGreaterThan(1);
      const output = join(own, `${key}.tar`);
      await exportImages({ source: engine, references: [name], output });
      const archive = await openArchive(output);
      expect((await listed(archive)).map((image) => image.name)).toEqual([name]);
      await archive.close();
      await engine.remove?.(name);
      await expect(engine.resolve(name)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });

  it('is read in one pass by importStream, into a store that keeps each byte once', async () => {
    const { peer, directory: own } = lent();
    const { name, config } = samples.of.two;
    await withEngine(peer, async (engine) => {
      await copyImage({ source: samples.store, target: engine, reference: name, name });
      const target = await freshStore(own);
      const report = await importStream(engine.save([name]), { target });
      expect(report.images.map((image) => image.name)).toEqual([name]);
      await expectVerified(target);
      expect((await engine.resolve(config)).descriptor.digest).toBe(report.images[0]?.descriptor.digest);
    });
  });

  it('tells how far it is while it loads', async () => {
    const { peer } = lent();
    const said: string[] = [];
    await withEngine(peer, (engine) => copyImage({ source: samples.store, target: engine, reference: samples.of.plain.name, name: 'progress:1' }), ({ status }) => said.push(status));
    expect(said).toContain('Loading layer');
    expect(said.at(-1)).toBe('Loaded image: progress:1');
  });

  it('takes one platform of several, and asks which', async () => {
    const { peer } = lent();
    const { name } = samples.of.multi;
    await withEngine(peer, async (engine) => {
      await expect(copyImage({ source: samples.store, target: engine, reference: name })).rejects.toMatchObject({ code: 'CONFLICT', hint: expect.stringContaining('--platform') as string });
    });
  });

  it('names the images that are near to one that it has not', async () => {
    const { peer } = lent();
    await withEngine(peer, async (engine) => {
      await copyImage({ source: samples.store, target: engine, reference: samples.of.gzip.name, name: 'hello:1' });
      await expect(engine.resolve('helo:1')).rejects.toMatchObject({ code: 'NOT_FOUND', hint: 'Did you mean hello:1?' });
    });
  });

  it('is a place for every command', async () => {
    const { peer } = lent();
    const cli = new Cli({ env: { DOCKER_HOST: await hostOf(peer) } });
    await cli.create('made:1');
    expect((await cli.ok('copy', 'made:1', 'docker-daemon:made:1')).stdout).toContain('docker-daemon:made:1');
    expect((await cli.ok('images', 'docker-daemon:')).stdout).toMatch(/^made:1 /m);
    expect((await cli.ok('verify', 'docker-daemon:made:1')).stdout).toContain('docker-daemon:made:1: ok');
    expect((await cli.ok('ls', 'docker-daemon:made:1')).stdout).toContain('hello.sh');
    await cli.ok('export', 'docker-daemon:made:1', '@out.tar');
    await cli.ok('verify', '@out.tar');
    await cli.ok('copy', 'docker-daemon:made:1', 'store:back:1');
    expect((await cli.ok('images', '-q')).stdout.split('\n')).toContain('back:1');
  });

  describe('files of its containers', () => {
    let containers: DockerContainers;
    let files: string;
    const create = async (...options: readonly string[]) => {
      const { peer } = lent();
      return (await peer.docker('create', '--network', 'none', ...options, samples.of.gzip.name)).trim();
    };
    beforeAll(async () => {
      const { peer, directory: own } = lent();
      await withEngine(peer, (engine) => copyImage({ source: samples.store, target: engine, reference: samples.of.gzip.name }));
      containers = await dockerContainers({ host: await hostOf(peer) });
      files = join(own, 'files');
      await mkdir(join(files, 'deep/er'), { recursive: true });
      await writeFile(join(files, 'large'), randomBytes(9_000_001));
      await writeFile(join(files, 'deep/er/small'), 'small\n');
      await writeFile(join(files, 'empty'), '');
    });
    afterAll(() => containers?.close());

    const digestIn = async (container: string, path: string): Promise<string | undefined> => {
      const { archive } = await containers.downloadArchive(container, path);
      const digests: string[] = [];
      for await (const entry of entries(archive)) digests.push((await digestStream(entry.data)).digest);
      return digests.join();
    };

    it('are uploaded as a stream, and have the same digests there', async () => {
      const container = await create();
      expect(await containers.uploadArchive(container, '/tmp', packTree(files))).toEqual({ outcome: 'done' });
      for (const path of ['large', 'deep/er/small', 'empty']) expect(await digestIn(container, `/tmp/${path}`), path).toBe(await digestBytes(await readFile(join(files, path))));
      const back = join(lent().directory, 'back');
      await containers.downloadTree(container, '/tmp', back);
      expect(await treeOf(join(back, 'tmp'))).toEqual(await treeOf(files));
    });

    it('are described with their kind, size and mode', async () => {
      const container = await create();
      expect(await containers.statPath(container, '/tmp')).toMatchObject({ name: 'tmp', type: 'directory', mode: 0o1777 });
      expect(await containers.statPath(container, '/bin/true')).toMatchObject({ name: 'true', type: 'file', mode: 0o4755, size: 10 });
      expect(await containers.statPath(container, '/bin/verily')).toMatchObject({ name: 'verily', type: 'symlink', linkTarget: '/bin/true' });
      expect(await containers.statPath(container, '/nowhere')).toBeUndefined();
      await expect(containers.statPath('nobody', '/')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('are refused in ways that can be told apart, before all of an archive has been read', async () => {
      const container = await create();
      const outcome = async (name: string, path: string) => (await containers.uploadArchive(name, path, packTree(files))).outcome;
      expect(await outcome(container, '')).toBe('bad-parameter');
      expect(await outcome(container, '/etc/motd')).toBe('bad-parameter');
      expect(await outcome(await create('--read-only'), '/')).toBe('permission-denied');
      expect(await outcome('nobody', '/')).toBe('no-such-container');
      expect(await outcome(container, '/nowhere')).toBe('no-such-path');
      const cut = (async function* () {
        for await (const run of pieceBytes(packTree(files))) {
          yield run.subarray(0, 100_000);
          return;
        }
      })();
      expect(await outcome(container, '/')).toBe('done');
      expect((await containers.uploadArchive(container, '/', cut)).outcome).toBe('server-error');
    });

    it('go in and out by the command', async () => {
      const container = await create('--name', 'by-command');
      const cli = new Cli({ env: { DOCKER_HOST: await hostOf(lent().peer) } });
      await writeFile(cli.path('note.txt'), 'a note\n');
      const large = await digestBytes(await readFile(join(files, 'large')));
      expect((await cli.ok('cp', files, '@note.txt', 'container:by-command:/tmp')).stdout).toContain('copied 2 paths to by-command:/tmp');
      await cli.ok('cp', '@note.txt', 'container:by-command:/etc/renamed');
      expect(await digestIn(container, '/tmp/files/large')).toBe(large);
      expect(await digestIn(container, '/etc/renamed')).toBe(await digestBytes(new TextEncoder().encode('a note\n')));
      await cli.ok('cp', 'container:by-command:/tmp/files', '@out');
      expect(await treeOf(cli.path('out/files'))).toEqual(await treeOf(files));
      const tar = await cli.ok('cp', 'container:by-command:/tmp/files/deep', '-');
      expect((await cli.run(['cp', '-', 'container:by-command:/srv'], { stdin: tar.bytes, env: { DOCKER_HOST: await hostOf(lent().peer) } })).status).toBe(3);
      expect((await cli.run(['cp', '-', 'container:by-command:/etc'], { stdin: tar.bytes, env: { DOCKER_HOST: await hostOf(lent().peer) } })).status).toBe(0);
      expect(await digestIn(container, '/etc/deep/er/small')).toBe(await digestBytes(new TextEncoder().encode('small\n')));
    });

    it('are uploaded by the example, which compares their digests', async () => {
      const container = await create();
      const lines: string[] = [];
      vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
      vi.stubEnv('DOCKER_HOST', await hostOf(lent().peer));
      const argv = process.argv;
      onTestFinished(() => {
        process.argv = argv;
        vi.restoreAllMocks();
        vi.unstubAllEnvs();
      });
      process.argv = ['node', 'upload-to-container.mjs', container, '/tmp', join(files, 'large'), join(files, 'empty')];
      await import('../../examples/upload-to-container.mjs');
      expect(lines).toEqual([expect.stringMatching(/^done: \d+ bytes of tar$/), expect.stringMatching(/^same sha256:\w+ large$/), expect.stringMatching(/^same sha256:\w+ empty$/)]);
    });
  });
});
