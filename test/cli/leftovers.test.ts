import { annotationKeys, localStore } from '@oci-tar/core';
import type { Descriptor } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addReferrer, written } from '../support/referrers.ts';
import { Cli } from './support.ts';

async function inStore<T>(cli: Cli, work: (store: Awaited<ReturnType<typeof localStore>>) => Promise<T>): Promise<T> {
  const store = await localStore(cli.path('store'));
  return work(store).finally(() => store.close());
}

const list = (cli: Cli, descriptor: Descriptor) =>
  inStore(cli, (store) => written(store, (session) => session.name(undefined, { descriptor, role: 'manifest', height: 0, origins: [], read: async function* () {} })));

describe('rm of what has no name', () => {
  it('takes it away by its digest, and leaves the names of the same image', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    const { descriptor } = await inStore(cli, (store) => store.resolve('hello:1'));
    const { annotations: _names, ...nameless } = descriptor;
    await list(cli, nameless);
    expect((await cli.ok('rm', digest)).stdout).toBe(`removed ${digest}  ${digest}\n`);
    expect((await cli.ok('images', '-q')).stdout).toBe('hello:1\n');
  });

  it('takes nothing away where the digest has only names, and says them', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    expect(await cli.run(['rm', digest])).toMatchObject({ status: 3, stderr: expect.stringContaining('oci-tar rm hello:1') as string });
    expect(await cli.run(['rm', `sha256:${'0'.repeat(64)}`, '--json'])).toMatchObject({ status: 3, stderr: expect.stringContaining('"NOT_FOUND"') as string });
    expect((await cli.ok('images', '-q')).stdout).toBe('hello:1\n');
  });
});

describe('prune after rm', () => {
  it('takes referrers of what is gone away, and says how many', async () => {
    const cli = new Cli();
    await cli.create();
    const referrer = await inStore(cli, async (store) => addReferrer(store, (await store.resolve('hello:1')).descriptor, { annotated: true }));
    expect(await cli.json('prune')).toMatchObject({ referrers: 0, blobs: 0 });
    await cli.ok('rm', 'hello:1');
    const listed = async () => inStore(cli, async (store) => JSON.parse(new TextDecoder().decode(await store.index?.())) as { readonly manifests: readonly Descriptor[] });
    expect((await listed()).manifests).toMatchObject([{ digest: referrer.digest, annotations: { [annotationKeys.manifestSubject]: expect.any(String) as string } }]);
    expect((await cli.ok('prune', '--dry-run')).stdout).toContain('\nwould remove 1 referrer of what is gone');
    expect((await cli.ok('prune')).stdout).toContain('\nremoved 1 referrer of what is gone');
    expect((await listed()).manifests).toEqual([]);
  });
});

describe('import from a pipe that brings nothing', () => {
  it('says so, and where an archive should come from', async () => {
    const cli = new Cli();
    const { status, stderr } = await cli.run(['import', '-']);
    expect(status).toBe(4);
    expect(stderr).toMatch(/^oci-tar: standard input is empty\n {2}Pipe an archive in: /);
    expect(JSON.parse((await cli.run(['import', '-', '--json'])).stderr)).toMatchObject({ error: { code: 'INVALID_TAR', offset: 0, side: 'source' } });
  });
});

describe('the help of every command', () => {
  it('says where the local store is when nobody says so', async () => {
    const { stdout } = await new Cli().ok('images', '--help');
    expect(stdout).toContain('OCI_TAR_STORE');
    expect(stdout).toContain('~/.local/share/oci-tar/store');
  });
});
