import { existsSync } from 'node:fs';
import { openDirectory } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addMulti, foreignLayer } from '../support/multi.ts';
import type { MultiImage, MultiOptions } from '../support/multi.ts';
import { Cli } from './support.ts';

const three = ['linux/amd64', 'linux/arm64', 'linux/s390x'];

async function withMulti(cli: Cli, platforms: readonly string[] = three, options: MultiOptions & { readonly foreign?: boolean } = {}): Promise<MultiImage> {
  const store = await openDirectory(cli.path('store'), { mayBeNew: true });
  const layers = options.foreign === true ? [await foreignLayer(store, ['https://example.org/layer'])] : [];
  const multi = await addMulti(store, 'docker.io/library/multi:1', platforms, { layers, ...options });
  await store.close();
  return multi;
}

describe('platforms', () => {
  it('that are missing are all listed, under --json as data', async () => {
    const cli = new Cli();
    const { of } = await withMulti(cli);
    await cli.ok('export', 'multi:1', '@one.tar', '--platform', 'linux/arm64');
    const { status, stderr } = await cli.run(['import', '@one.tar', '--all-platforms', '--store', '@second']);
    expect(status).toBe(3);
    for (const platform of ['linux/amd64', 'linux/s390x']) expect(stderr).toContain(`\n  ${platform}: ${of[platform]?.manifest.mediaType} ${of[platform]?.manifest.digest}, ${of[platform]?.manifest.size} bytes\n`);
    const { stderr: json } = await cli.run(['import', '@one.tar', '--all-platforms', '--store', '@second', '--json']);
    expect(JSON.parse(json)).toMatchObject({ error: { code: 'NOT_FOUND', missing: [{ platform: 'linux/amd64' }, { platform: 'linux/s390x' }] } });
    expect(await cli.run(['export', 'multi:1', '@two.tar', '--platform', 'linux/amd64', '--platform', 'linux/riscv64'])).toMatchObject({ status: 3, stderr: expect.stringContaining('no manifest for linux/riscv64') as string });
    expect(existsSync(cli.path('two.tar'))).toBe(false);
  });

  it('that lack a layer are named where they are left out', async () => {
    const cli = new Cli();
    const { of } = await withMulti(cli, ['linux/amd64', 'linux/arm64']);
    const { rmSync } = await import('node:fs');
    rmSync(cli.path(`store/blobs/sha256/${of['linux/arm64']?.layers[0]?.digest.slice(7)}`));
    expect((await cli.ok('export', 'multi:1', '@out.tar')).stderr).toMatch(/^left out, since the source does not have it: linux\/arm64 \(.*\)$/m);
  });

  it.each([
    [['--platform', 'linux/amd64', '--all-platforms'], /exclude each other/],
    [['--platform', 'nonsense/x/y/z'], /is not a platform/],
    [['--platform', ''], /is not a platform/],
    [['--platform', 'linux/amd64,'], /is not a platform/],
    [['--platform'], /needs a value/],
    [['--verify'], /--verify goes with --dry-run/],
  ])('asked for with %j are refused', async (flags, problem) => {
    const cli = new Cli();
    await withMulti(cli);
    for (const words of [['export', 'multi:1', '@out.tar'], ['import', '@none.tar'], ['copy', 'multi:1', 'oci:@layout']]) {
      const { status, stderr } = await cli.run([...words, ...flags]);
      expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(problem) as string });
    }
  });
});

describe('--rewrite-index', () => {
  it('puts a smaller index in the place of one that would be sparse, and prints both digests', async () => {
    const cli = new Cli();
    const { image } = await withMulti(cli);
    const from = image.descriptor.digest;
    const plain = (await cli.json('export', 'multi:1', '@plain.tar', '--platform', 'linux/amd64')) as { readonly images: readonly object[] };
    expect(plain).toMatchObject({ images: [{ digest: from }] });
    expect(plain).not.toHaveProperty('rewritten');
    const { rewritten } = (await cli.json('export', 'multi:1', '@small.tar', '--platform', 'linux/amd64', '--rewrite-index')) as { readonly rewritten: readonly { readonly to: string }[] };
    const to = rewritten[0]?.to ?? '';
    expect(rewritten).toEqual([{ name: 'docker.io/library/multi:1', from, to }]);
    expect((await cli.ok('import', '@plain.tar', '--rewrite-index', '--store', '@second')).stdout).toContain(`multi:1  ${to}, a smaller index than ${from}\n`);
    expect(await cli.json('copy', 'multi:1', 'oci:@layout:v1', '--platform', 'linux/amd64', '--rewrite-index')).toMatchObject({ rewritten: [{ from, to }] });
    // Whole now: all of it can be asked for.
    expect(await cli.json('import', '@small.tar', '--all-platforms', '--store', '@third')).toMatchObject({ images: [{ digest: to }], leftOut: [] });
    for (const store of ['@second', '@third']) expect((await cli.run(['verify', '--store', store])).status).toBe(0);
  });
});

describe('--skip-non-distributable', () => {
  it('leaves foreign layers out; what is exported so can be imported', async () => {
    const cli = new Cli();
    await withMulti(cli, ['windows/amd64'], { foreign: true });
    expect((await cli.ok('export', 'multi:1', '@whole.tar')).stderr).toBe('');
    expect((await cli.ok('export', 'multi:1', '@out.tar', '--skip-non-distributable')).stderr).toMatch(/^left where its URLs point/);
    expect(await cli.json('import', '@out.tar', '--store', '@second')).toMatchObject({ leftOut: [{ why: 'foreign' }] });
    expect(await cli.json('copy', 'multi:1', 'oci:@layout:v1', '--skip-non-distributable')).toMatchObject({ leftOut: [{ why: 'foreign' }] });
    expect((await cli.run(['verify', '--store', '@second'])).status).toBe(0);
  });
});

describe('names by digest', () => {
  it('are listed, exported and removed like others', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.ok('export', 'hello:1', '@out.tar');
    const byDigest = `example.org/app@${digest}`;
    await cli.ok('copy', 'hello:1', 'oci-archive:@nameless.tar');
    expect((await cli.ok('import', '@nameless.tar', '--digests', '--base-name', 'example.org/app', '-q', '--store', '@second')).stdout).toBe(`${byDigest}\n`);
    expect((await cli.ok('images', '-q', '--store', '@second')).stdout).toBe(`${byDigest}\n`);
    expect(await cli.json('export', byDigest, '@again.tar', '--store', '@second')).toMatchObject({ images: [{ name: byDigest, digest }] });
    expect(await cli.json('import', '@again.tar', '--store', '@third')).toMatchObject({ images: [{ name: byDigest, digest }] });
    await cli.ok('tag', byDigest, 'other:1', '--store', '@second');
    await cli.ok('rm', byDigest, '-q', '--store', '@second');
    expect((await cli.ok('images', '-q', '--store', '@second')).stdout).toBe('other:1\n');
  });

  it('that no image has cannot be removed, and nothing else is then', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.ok('tag', 'hello:1', 'other:1');
    expect(await cli.run(['rm', 'other:1', `hello@${digest}`])).toMatchObject({ status: 3 });
    expect((await cli.ok('images', '-q')).stdout).toBe('hello:1\nother:1\n');
  });
});

describe('the flags for names', () => {
  it('give names by digest, keep the index, and tell what has no name', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.create('other:1', '--label', 'a=b');
    await cli.ok('copy', 'hello:1', 'oci:@layout:example.org/app:1');
    await cli.ok('copy', 'other:1', 'oci:@layout');
    const { execFileSync } = await import('node:child_process');
    execFileSync('tar', ['-cf', cli.path('in.tar'), '-C', cli.path('layout'), 'oci-layout', 'index.json', 'blobs']);
    const { stderr } = await cli.ok('import', '@in.tar', '--store', '@a');
    expect(stderr).toMatch(/^left out, since nothing names it: sha256:[0-9a-f]{64} \(--digests names all by digest\)\n$/);
    expect(await cli.json('import', '@in.tar', '--store', '@b')).toMatchObject({ skipped: [{ why: 'nameless' }] });
    const { stdout } = await cli.ok('import', '@in.tar', '-q', '--store', '@c', '--base-name', 'example.org/app', '--digests', '--skip-digest-for-named', '--index-name', 'example.org/all:1');
    expect(stdout).toMatch(/^example\.org\/app:1\nexample\.org\/app@sha256:[0-9a-f]{64}\nexample\.org\/all:1\n$/);
    expect(stdout).not.toContain(digest);
    expect((await cli.run(['verify', '--store', '@c'])).status).toBe(0);
  });

  it.each([
    [['new:1', '--digests'], /a new name and --digests exclude each other/],
    [['--skip-digest-for-named'], /Add --digests/],
    [['--index-name', 'Not A Name'], /is not a reference/],
  ])('are refused where they make no sense: %j', async (flags, problem) => {
    const cli = new Cli();
    expect(await cli.run(['import', '@none.tar', ...flags])).toMatchObject({ status: 2, stderr: expect.stringMatching(problem) as string });
  });
});
