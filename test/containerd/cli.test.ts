import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Cli } from '../cli/support.ts';
import { fakeContainerd } from './fake.ts';
import { addImage } from './support.ts';

/** A command line on a fake containerd; its own local store has hello:1. */
async function cliOn(namespace = 'default') {
  const { fake, store } = await fakeContainerd({ namespace });
  const cli = new Cli({ env: { CONTAINERD_ADDRESS: fake.address } });
  await cli.create();
  await cli.ok('export', 'hello:1', '@hello.tar');
  return { fake, store, cli };
}

describe('the command line on containerd', () => {
  it('imports, lists, exports and copies, under the same digest', async () => {
    const { cli, fake } = await cliOn();
    const digest = (await cli.ok('images', '--json')).stdout.match(/sha256:\w+/)?.[0];
    await cli.ok('import', '@hello.tar', '--store', 'containerd:', '--label', 'a=b');
    expect(fake.images.get('docker.io/library/hello:1')).toMatchObject({ target: { digest }, labels: { a: 'b' } });
    expect(fake.snapshots.size).toBe(0);
    expect((await cli.ok('images', 'containerd:', '-q')).stdout).toBe('hello:1\n');
    await cli.ok('export', 'hello:1', '@back.tar', '--store', 'containerd:');
    await cli.ok('export', 'containerd:hello:1', '@again.tar');
    expect((await cli.run(['images', '@back.tar', '--json'])).stdout).toContain(digest);
    expect((await cli.run(['images', '@again.tar', '--json'])).stdout).toContain(digest);
    await cli.ok('copy', 'hello:1', 'containerd:default/docker.io/library/copied:1');
    await cli.ok('copy', 'containerd:copied:1', 'store:back:1');
    expect(await cli.json('images')).toMatchObject([{ digest }, { digest }]);
  });

  it('unpacks where it is told to, and --snapshotter is to tell', async () => {
    const { cli, fake } = await cliOn();
    fake.applied = (digest) => `sha256:${createHash('sha256').update(gunzipSync(fake.content.find(digest).bytes)).digest('hex')}`;
    const import_ = (...flags: readonly string[]) => cli.ok('import', '@hello.tar', '--store', 'containerd:', '--platform', 'linux/amd64', ...flags);
    await import_('--snapshotter', 'native', '--no-unpack');
    expect(fake.snapshots.size).toBe(0);
    await import_('--snapshotter', 'native');
    expect([...fake.snapshots.values()].map(({ snapshotter }) => snapshotter)).toEqual(['native']);
    fake.snapshots.clear();
    await import_('--unpack');
    expect([...fake.snapshots.values()].map(({ snapshotter }) => snapshotter)).toEqual(['overlayfs']);
  });

  it.each([['--unpack'], ['--snapshotter', 'native'], ['--label', 'a=b']])('refuses %s where the store is a directory', async (...flags) => {
    const { cli } = await cliOn();
    expect(await cli.run(['import', '@hello.tar', ...flags])).toMatchObject({ status: 2, stderr: expect.stringContaining('containerd alone') });
  });

  it('says what it would do', async () => {
    const { cli, fake } = await cliOn();
    await cli.ok('import', '@hello.tar', '--store', 'containerd:', '--dry-run');
    expect([fake.images.size, fake.content.blobs.size, fake.leases.size]).toEqual([0, 0, 0]);
    await cli.ok('copy', 'hello:1', 'containerd:', '--dry-run');
  });

  it('takes names away, and leaves what they needed to containerd', async () => {
    const { cli, fake } = await cliOn();
    await cli.ok('import', '@hello.tar', '--store', 'containerd:');
    for (const words of [['prune'], ['rm', 'hello:1', '--prune']]) {
      expect(await cli.run([...words, '--store', 'containerd:'], { env: { CONTAINERD_ADDRESS: fake.address } })).toMatchObject({ status: 7, stderr: expect.stringContaining('frees what no image needs by itself') as string });
    }
    expect(fake.images.size).toBe(1);
    expect((await cli.ok('rm', 'hello:1', '--store', 'containerd:')).stderr).toBe('');
    expect(fake.images.size).toBe(0);
  });

  it('tells of an image that is not there, and of a containerd that is not', async () => {
    const { cli, fake } = await cliOn();
    await addImage(fake, 'docker.io/library/other:1');
    expect(await cli.run(['export', 'containerd:othr:1', '@out.tar'], { env: { CONTAINERD_ADDRESS: fake.address } })).toMatchObject({ status: 3, stderr: expect.stringContaining('Did you mean other:1?') });
    expect(await cli.run(['images', 'containerd:'], { env: { CONTAINERD_ADDRESS: cli.path('nowhere') } })).toMatchObject({ status: 1, stderr: expect.stringContaining('does not run') });
    fake.images.clear();
    expect(await cli.run(['images', 'containerd:k8s.io/'], { env: { CONTAINERD_ADDRESS: fake.address } })).toMatchObject({ status: 3, stderr: expect.stringContaining('no namespace k8s.io') });
  });
});
