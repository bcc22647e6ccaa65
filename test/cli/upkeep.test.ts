import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDirectory } from '@oci-tar/core';
import { addIndex, linux } from '../support/images.ts';
import { Cli } from './support.ts';

const arm = { os: 'linux', architecture: 'arm64' };

function blobs(cli: Cli): readonly string[] {
  return readdirSync(join(cli.path('store'), 'blobs/sha256'));
}

describe('prune and rm', () => {
  it('free what no image needs, and tell how much', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.create('other:1', '--label', 'a=b');
    const removed = await cli.ok('rm', 'hello:1');
    expect(removed.stderr).toContain('oci-tar prune');
    expect(blobs(cli)).toHaveLength(5);
    expect((await cli.ok('prune', '--dry-run')).stdout).toMatch(/^would free \d+ B: 2 blobs; 3 blobs kept\n$/);
    expect(await cli.json('prune', '--dry-run')).toMatchObject({ dryRun: true, blobs: 2, kept: 3, leased: 0 });
    expect(blobs(cli)).toHaveLength(5);
    expect((await cli.ok('prune')).stdout).toMatch(/^freed \d+ B: 2 blobs; 3 blobs kept\n$/);
    expect(blobs(cli)).toHaveLength(3);
    await cli.ok('verify', '--all');
  });

  it('go together in rm --prune', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('tag', 'hello:1', 'again:1');
    expect(await cli.json('rm', 'hello:1', '--prune')).toMatchObject({ removed: [{ name: 'docker.io/library/hello:1' }], pruned: { blobs: 0, kept: 3 } });
    const { stdout, stderr } = await cli.ok('rm', 'again:1', '--prune');
    expect(stdout).toMatch(/^removed again:1 .*\nfreed \d+ B: 3 blobs; 0 blobs kept\n$/);
    expect(stderr).toBe('');
    expect(blobs(cli)).toEqual([]);
  });

  it('make no store where there is none', async () => {
    const cli = new Cli();
    expect((await cli.ok('prune')).stdout).toBe('freed 0 B: 0 blobs; 0 blobs kept\n');
    expect(readdirSync(cli.dir)).toEqual(['rootfs']);
    expect(await cli.run(['prune', 'hello:1'])).toMatchObject({ status: 2 });
  });
});

describe('verify --all', () => {
  it('reads the blobs of no image too, and tells them apart', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('rm', 'hello:1');
    await cli.create('other:1', '--label', 'a=b');
    expect((await cli.ok('verify')).stdout).not.toContain('of no image');
    expect((await cli.ok('verify', '--all')).stdout).toMatch(/ok \(1 image, 3 blobs, .*\n {2}2 blobs of no image, \d+ B\n$/);
    for (const name of blobs(cli)) chmodSync(join(cli.path('store'), 'blobs/sha256', name), 0o644);
    const known = JSON.stringify(await cli.json('inspect', 'other:1'));
    const lost = blobs(cli).find((name) => !known.includes(name)) ?? '';
    writeFileSync(join(cli.path('store'), 'blobs/sha256', lost), 'something else');
    expect(await cli.run(['verify'])).toMatchObject({ status: 0 });
    const outcome = await cli.run(['verify', '--all']);
    expect(outcome.status).toBe(4);
    expect(outcome.stdout).toMatch(/1 problem .*\n {2}2 blobs of no image, .*oci-tar prune removes them\n {2}DIGEST_MISMATCH of no image: /);
    expect(JSON.parse((await cli.run(['verify', '--all', '--json'])).stdout)).toMatchObject({ ok: false, places: [{ problems: [], unreferenced: { blobs: 2, problems: [{ digest: `sha256:${lost}`, code: 'DIGEST_MISMATCH' }] } }] });
    await cli.ok('prune');
    await cli.ok('verify', '--all');
  });
});

describe('index', () => {
  it('creates, appends and removes', async () => {
    const cli = new Cli();
    const amd = await cli.create('hello:amd');
    await cli.ok('create', 'hello:arm', '--layer', '@rootfs', '--platform', 'linux/arm64');
    const { stdout } = await cli.ok('index', 'create', 'multi:1', 'hello:amd', '--annotation', 'a=b');
    expect(stdout).toMatch(/^multi:1 {2}sha256:[0-9a-f]{64} {2}linux\/amd64\n$/);
    expect(await cli.json('index', 'append', 'multi:1', 'hello:arm')).toMatchObject({ name: 'docker.io/library/multi:1', manifests: [{ digest: amd, platform: 'linux/amd64' }, { platform: 'linux/arm64' }] });
    expect(await cli.json('inspect', 'multi:1')).toMatchObject({ annotations: { a: 'b' } });
    expect(await cli.run(['index', 'append', 'multi:1', 'hello:arm'])).toMatchObject({ status: 0 });
    await cli.create('hello:other', '--label', 'x=y');
    const conflict = await cli.run(['index', 'append', 'multi:1', 'hello:other']);
    expect(conflict).toMatchObject({ status: 6 });
    expect(conflict.stderr).toContain('linux/amd64');
    expect(conflict.stderr).toContain('--replace');
    await cli.ok('index', 'append', 'multi:1', 'hello:other', '--replace');
    expect((await cli.ok('index', 'rm', 'multi:1', 'linux/arm64')).stdout).toMatch(/linux\/amd64\n$/);
    expect(await cli.run(['index', 'rm', 'multi:1', amd])).toMatchObject({ status: 3 });
    expect(await cli.run(['index', 'rm', 'multi:1', 'linux/amd64'])).toMatchObject({ status: 6 });
    await cli.ok('verify');
  });

  it.each([[['index']], [['index', 'create', 'multi:1']], [['index', 'merge', 'a', 'b']], [['index', 'rm', 'a', 'nonsense']], [['index', 'rm', 'a', 'linux/amd64', '--replace']]])('refuses %j', async (args) => {
    const cli = new Cli();
    expect(await cli.run(args)).toMatchObject({ status: 2 });
  });
});

describe('config', () => {
  it('changes an image and prints both digests', async () => {
    const cli = new Cli();
    const before = await cli.create('hello:1', '--env', 'A=1', '--env', 'B=2', '--label', 'a=b', '--expose', '80');
    const flags = ['--env', 'A=3', '--env-rm', 'B', '--entrypoint', '["/sh", "-c"]', '--cmd', 'hi', '--label-rm', 'a', '--label', 'c=d', '--annotation', 'n=m', '--user', '1', '--workdir', '/srv'];
    const { stdout } = await cli.ok('config', 'hello:1', ...flags, '--expose', '53/udp', '--expose-rm', '80', '--author', 'Me', '--created', '86400');
    const after = / -> (sha256:[0-9a-f]{64})\n/.exec(stdout)?.[1] ?? '';
    expect(stdout).toContain(`hello:1  ${before} -> ${after}\n`);
    expect(await cli.json('inspect', 'hello:1')).toMatchObject({
      digest: after,
      manifests: [
        {
          annotations: { n: 'm' },
          config: {
            content: {
              created: '1970-01-02T00:00:00Z',
              author: 'Me',
              config: { Env: ['A=3'], Entrypoint: ['/sh', '-c'], Cmd: ['hi'], Labels: { c: 'd' }, User: '1', WorkingDir: '/srv', ExposedPorts: { '53/udp': {} } },
              history: [{}, { empty_layer: true }],
            },
          },
        },
      ],
    });
    await cli.ok('verify');
  });

  it('gives a new name, or says that nothing changed', async () => {
    const cli = new Cli();
    const before = await cli.create();
    expect(await cli.json('config', 'hello:1', 'hello:2', '--user', 'me')).toMatchObject({ name: 'docker.io/library/hello:2', from: before, manifests: [{ platform: 'linux/amd64', from: before }] });
    const same = await cli.ok('config', 'hello:2', '--user', 'me');
    expect(same.stderr).toContain('Nothing changed');
    expect((await cli.ok('images', '-q', '--digests')).stdout).toBe('hello:1\nhello:2\n');
    expect(await cli.run(['config', 'hello:1'])).toMatchObject({ status: 2 });
    expect(await cli.run(['config', 'none:1', '--user', 'me'])).toMatchObject({ status: 3 });
  });

  it('changes one platform of several', async () => {
    const cli = new Cli();
    const store = await openDirectory(cli.path('store'), { mayBeNew: true });
    await addIndex(store, 'docker.io/library/multi:1', [linux, arm]);
    await store.close();
    const { stdout } = await cli.ok('config', 'multi:1', '--user', 'me', '--platform', 'linux/arm64');
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toMatch(/\n {2}linux\/arm64 {2}sha256/);
    expect(await cli.json('inspect', 'multi:1')).toMatchObject({ manifests: [{ config: { content: { config: {} } } }, { config: { content: { config: { User: 'me' } } } }] });
  });
});

describe('inspect', () => {
  it('shows the history, with the size of each layer', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('config', 'hello:1', '--user', 'me');
    const { stdout } = await cli.ok('inspect', 'hello:1');
    expect(stdout).toMatch(/History: +2 steps\n +1970-01-01T00:00:00Z +\d+ B +oci-tar create\n +1970-01-01T00:00:00Z +- +oci-tar config USER me\n/);
    const { manifests } = (await cli.json('inspect', 'hello:1')) as { manifests: { totalSize: number; size: number; config: { size: number }; layers: { size: number }[] }[] };
    const [one] = manifests;
    expect(one?.totalSize).toBe((one?.size ?? 0) + (one?.config.size ?? 0) + (one?.layers[0]?.size ?? 0));
  });
});
