import { readFileSync, readdirSync, writeFileSync, chmodSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDirectory } from '@oci-tar/core';
import { addIndex, linux } from '../support/images.ts';
import { Cli, folder, writeTree } from './support.ts';

function blob(cli: Cli, digest: string): string {
  return join(cli.path('store'), 'blobs', digest.replace(':', '/'));
}

describe('images', () => {
  it('lists names, digests, platforms and sizes, sorted', async () => {
    const cli = new Cli();
    expect((await cli.ok('images')).stdout).toContain('no images in ');
    const digest = await cli.create('zebra');
    await cli.create('example.org/team/app:2');
    const { stdout } = await cli.ok('images');
    const short = digest.slice(7, 19);
    expect(stdout.split('\n').slice(0, 3).map((line) => line.split(/ {2,}/))).toEqual([
      ['NAME', 'DIGEST', 'PLATFORMS', 'SIZE'],
      ['example.org/team/app:2', short, 'linux/amd64', expect.stringMatching(/^\d+ B$/) as string],
      ['zebra:latest', short, 'linux/amd64', expect.stringMatching(/^\d+ B$/) as string],
    ]);
    expect((await cli.ok('images', '--digests')).stdout).toContain(digest);
    expect((await cli.ok('list', '-q')).stdout).toBe('example.org/team/app:2\nzebra:latest\n');
  });

  it('shows an image that is not whole, and the others beside it', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.create('other:1', '--label', 'a=b');
    rmSync(blob(cli, digest));
    expect((await cli.ok('images')).stdout).toMatch(/hello:1 .*incomplete\nother:1 .* B\n/);
    expect(await cli.json('images')).toMatchObject([{ problem: expect.stringContaining(digest) as string }, { totalSize: expect.any(Number) as number }]);
  });

  it('knows a plain path by its looks', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('export', 'hello:1', '@out.tar');
    expect((await cli.ok('images', '@out.tar', '-q')).stdout).toBe('hello:1\n');
    await cli.ok('copy', 'hello:1', 'oci:@layout:x');
    expect((await cli.ok('images', '@layout', '-q')).stdout).toBe('x\n');
    expect(await cli.run(['images', '@none.tar'])).toMatchObject({ status: 3 });
    expect(await cli.run(['images', '-'])).toMatchObject({ status: 2 });
  });

  it('makes control characters in names visible', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'oci:@layout:v1');
    const path = cli.path('layout/index.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"v1"', '"v\\u001b[31m"'));
    expect((await cli.ok('images', '@layout')).stdout).toContain('v\\x1b[31m');
  });
});

describe('inspect', () => {
  it('tells what an image is made of', async () => {
    const cli = new Cli();
    const digest = await cli.create('hello:1', '--entrypoint', '/hello.sh', '--label', 'team=blue');
    const { stdout } = await cli.ok('inspect', 'hello:1');
    expect(stdout).toContain(digest);
    expect(stdout).toMatch(/Entrypoint: +\["\/hello\.sh"\]/);
    expect(stdout).toMatch(/Labels: +team=blue/);
    expect(stdout).toMatch(/sha256:[0-9a-f]{64} +\d+ B +tar\+gzip +diffID [0-9a-f]{12}/);
  });

  it('gives the very bytes of manifests and configs', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    const { bytes } = await cli.ok('inspect', 'hello:1', '--raw');
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest);
    const details = (await cli.json('inspect', 'hello:1')) as { manifests: { config: { digest: string } }[] };
    const config = (await cli.ok('inspect', 'hello:1', '--config')).bytes;
    expect(`sha256:${createHash('sha256').update(config).digest('hex')}`).toBe(details.manifests[0]?.config.digest);
    expect(await cli.run(['inspect', 'hello:1', '--raw', '--config'])).toMatchObject({ status: 2 });
  });

  it('shows all platforms, or one', async () => {
    const cli = new Cli();
    const store = await openDirectory(cli.path('store'), { mayBeNew: true });
    const arm = { os: 'linux', architecture: 'arm64' };
    await addIndex(store, 'docker.io/library/multi:1', [linux, arm]);
    await store.close();
    expect(await cli.json('inspect', 'multi:1')).toMatchObject({ manifests: [{ platform: 'linux/amd64' }, { platform: 'linux/arm64' }] });
    expect(((await cli.json('inspect', 'multi:1', '--platform', 'linux/arm64')) as { manifests: object[] }).manifests).toMatchObject([{ platform: 'linux/arm64' }]);
    const config: unknown = JSON.parse(Buffer.from((await cli.ok('inspect', 'multi:1', '--config', '--platform', 'linux/arm64')).bytes).toString());
    expect(config).toMatchObject({ architecture: 'arm64' });
    const missing = await cli.run(['inspect', 'multi:1', '--platform', 'linux/s390x']);
    expect(missing).toMatchObject({ status: 3 });
    expect(missing.stderr).toContain('It has linux/amd64, linux/arm64.');
  });

  it('points at a file that has the name of an image which is not there', async () => {
    const cli = new Cli();
    await cli.create();
    // Tests run in the folder of the workspace, which has such a file.
    expect((await cli.run(['inspect', 'package.json'])).stderr).toContain('write ./package.json');
  });
});

describe('tag and rm', () => {
  it('add and take away names', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    expect((await cli.ok('tag', 'hello:1', 'second')).stdout).toBe(`second:latest  ${digest}\n`);
    expect((await cli.ok('rm', 'hello:1')).stdout).toBe(`removed hello:1  ${digest}\n`);
    expect((await cli.ok('images', '-q')).stdout).toBe('second:latest\n');
    await cli.ok('verify', 'second');
  });

  it('remove all names or none', async () => {
    const cli = new Cli();
    await cli.create();
    expect(await cli.run(['rm', 'hello:1', 'missing'])).toMatchObject({ status: 3, stdout: '' });
    expect((await cli.ok('images', '-q')).stdout).toBe('hello:1\n');
    await cli.ok('tag', 'hello:1', 'other');
    expect(await cli.json('rm', 'hello:1', 'docker.io/library/hello:1', 'other')).toMatchObject({ removed: [{ name: 'docker.io/library/hello:1' }, { name: 'docker.io/library/other:latest' }] });
  });
});

describe('verify', () => {
  it('is content with what is whole, in a store, an archive, a directory', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('export', 'hello:1', '@out.tar');
    await cli.ok('copy', 'hello:1', 'oci:@layout:v1');
    expect((await cli.ok('verify')).stdout).toMatch(/: ok \(1 image, 3 blobs, /);
    expect(await cli.json('verify', '@out.tar', 'hello:1', 'oci:@layout:v1')).toMatchObject({ ok: true, places: [{ images: 1 }, { images: 1 }, { images: 1 }] });
  });

  it('names every damaged blob and ends with status 4', async () => {
    const cli = new Cli();
    await cli.create();
    const { manifests } = (await cli.json('inspect', 'hello:1')) as { manifests: { layers: { digest: string }[] }[] };
    const layer = manifests[0]?.layers[0]?.digest ?? '';
    const path = blob(cli, layer);
    chmodSync(path, 0o644);
    const bytes = readFileSync(path);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const outcome = await cli.run(['verify']);
    expect(outcome).toMatchObject({ status: 4, stderr: '' });
    expect(outcome.stdout).toMatch(/1 problem/);
    expect(outcome.stdout).toContain(layer);
    const report: unknown = JSON.parse((await cli.run(['verify', '--json'])).stdout);
    expect(report).toMatchObject({ ok: false, places: [{ problems: [{ digest: layer, image: 'docker.io/library/hello:1' }] }] });
    // The damage is found on the way out too, and no archive is left.
    expect(await cli.run(['export', 'hello:1', '@out.tar'])).toMatchObject({ status: 4 });
    expect(readdirSync(cli.dir)).not.toContain('out.tar');
  });
});

describe('create', () => {
  it('writes what it was told into the config', async () => {
    const cli = new Cli();
    const flags = ['--entrypoint', '["/bin/sh", "-c"]', '--cmd', 'echo hi', '--env', 'A=1', '--env', 'B=x=y', '--label', 'k=v', '--annotation', 'n=m', '--user', '1000:1000', '--workdir', '/srv'];
    await cli.create('app', ...flags, '--expose', '80', '--expose', '53/udp', '--volume', '/data', '--stop-signal', 'SIGINT', '--author', 'Me', '--created', '2026-01-02T03:04:05Z');
    expect(await cli.json('inspect', 'app')).toMatchObject({
      manifests: [
        {
          annotations: { n: 'm' },
          config: {
            content: {
              created: '2026-01-02T03:04:05Z',
              author: 'Me',
              config: {
                Entrypoint: ['/bin/sh', '-c'],
                Cmd: ['echo hi'],
                Env: ['A=1', 'B=x=y'],
                Labels: { k: 'v' },
                User: '1000:1000',
                WorkingDir: '/srv',
                ExposedPorts: { '80/tcp': {}, '53/udp': {} },
                Volumes: { '/data': {} },
                StopSignal: 'SIGINT',
              },
            },
          },
        },
      ],
    });
  });

  it('gives the same digest for the same files, and takes SOURCE_DATE_EPOCH', async () => {
    const cli = new Cli();
    const other = folder();
    writeTree(other, { 'hello.sh': '#!/bin/sh\necho hello\n' });
    const first = await cli.create('a');
    expect((await cli.ok('create', 'b', '--layer', other, '--platform', 'linux/amd64', '-q')).stdout.trim()).toBe(first);
    const dated = await cli.run(['create', 'c', '--layer', '@rootfs', '--platform', 'linux/amd64', '-q'], { env: { SOURCE_DATE_EPOCH: '86400' } });
    expect(dated.stdout.trim()).not.toBe(first);
    expect(await cli.json('inspect', 'c')).toMatchObject({ manifests: [{ config: { content: { created: '1970-01-02T00:00:00Z' } } }] });
  });

  it('takes a tar on standard input, once', async () => {
    const cli = new Cli();
    await cli.create();
    const { bytes } = await cli.ok('pack', '@rootfs', '-');
    await cli.ok('pack', '@rootfs', '@root.tar');
    const create = (...layers: readonly string[]) => cli.run(['create', 'piped:1', '--platform', 'linux/amd64', '-q', ...layers], { stdin: bytes });
    const { stdout: digest } = await cli.ok('create', 'file:1', '--platform', 'linux/amd64', '-q', '--layer', '@root.tar');
    expect(await create('--layer', '-')).toMatchObject({ status: 0, stdout: digest });
    expect(await create('--layer=-')).toMatchObject({ status: 0, stdout: digest });
    expect(await create('--layer', '-', '--layer', '-')).toMatchObject({ status: 2 });
  });

  it('compresses layers as it is told', async () => {
    const cli = new Cli();
    for (const [flag, type] of [['gzip', 'tar+gzip'], ['zstd', 'tar+zstd'], ['none', 'tar']]) {
      await cli.create(`x:${flag ?? ''}`, '--compress', flag ?? '');
      expect(await cli.json('inspect', `x:${flag ?? ''}`)).toMatchObject({ manifests: [{ layers: [{ mediaType: `application/vnd.oci.image.layer.v1.${type ?? ''}` }] }] });
    }
    await cli.ok('verify');
  });

  it.each([
    [[], 'at least one layer'],
    [['--layer', '@rootfs', '--env', 'A'], '--env A has no value'],
    [['--layer', '@rootfs', '--entrypoint', '[1]'], 'an array of texts'],
    [['--layer', '@rootfs', '--expose', '70000'], 'is not a port'],
    [['--layer', '@rootfs', '--created', 'yesterday'], 'no moment since 1970'],
    [['--layer', '@rootfs', '--platform', 'nonsense'], 'is not a platform'],
    [['--layer', '@rootfs', '--compress', 'lz4'], '"gzip", "zstd", "none"'],
    [['--layer', '@rootfs', '--level', 'x'], 'whole number'],
  ])('refuses %j', async (flags, problem) => {
    const cli = new Cli();
    const outcome = await cli.run(['create', 'x', ...flags]);
    expect(outcome.status).toBe(2);
    expect(outcome.stderr).toContain(problem);
    expect((await cli.ok('images', '-q')).stdout).toBe('');
  });
});
