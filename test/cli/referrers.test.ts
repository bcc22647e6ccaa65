import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { annotationKeys, openDirectory } from '@oci-tar/core';
import type { Descriptor, ImageStore } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { linux } from '../support/images.ts';
import { addAttested, addCosign, addReferrer, sbomType, signatureType } from '../support/referrers.ts';
import { Cli } from './support.ts';

const repository = 'docker.io/library/hello';

/** A command line whose store has hello:1 and what signs it. */
async function signedCli(): Promise<{ readonly cli: Cli; readonly root: Descriptor; readonly sbom: Descriptor; readonly ofSbom: Descriptor; readonly cosign: Descriptor }> {
  const cli = new Cli();
  await cli.create();
  return withStore(cli, async (store) => {
    const root = (await store.resolve('hello:1')).descriptor;
    const sbom = await addReferrer(store, root, { artifactType: sbomType, annotated: true, annotations: { [annotationKeys.created]: '2026-11-22T12:00:00Z', 'example.certificate': 'x'.repeat(500) } });
    return { cli, root, sbom, ofSbom: await addReferrer(store, sbom, { annotated: true }), cosign: await addCosign(store, root, repository) };
  });
}

async function withStore<T>(cli: Cli, work: (store: ImageStore) => Promise<T>): Promise<T> {
  const store = await openDirectory(cli.path('store'), { mayBeNew: true });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

describe('referrers', () => {
  it('are shown as a tree, alike from the store, a directory and an archive', async () => {
    const { cli, root, sbom, ofSbom, cosign } = await signedCli();
    await cli.ok('export', 'hello:1', '@out.tar', '--referrers');
    await cli.ok('copy', 'hello:1', 'oci:@layout:v1', '--referrers');
    const found: string[] = [];
    for (const [word, name] of [['hello:1', 'hello:1'], ['@out.tar', 'hello:1'], ['oci:@layout', 'v1'], ['oci-archive:@out.tar:hello:1', 'hello:1']] as const) {
      const { stdout } = await cli.ok('referrers', word);
      const [head, ...lines] = stdout.trimEnd().split('\n');
      expect(head).toBe(`${name}  ${root.digest}`);
      found.push(lines.join('\n'));
    }
    expect(new Set(found).size).toBe(1);
    const [text = ''] = found;
    expect(text).toMatch(new RegExp(`^[├└]─ application/spdx\\+json  ${sbom.digest}  [\\d.]+ k?B  created=2026-11-22T12:00:00Z$`, 'm'));
    expect(text).toMatch(new RegExp(`^(?:│ | ) {1,2}└─ ${signatureType}  ${ofSbom.digest}  [\\d.]+ k?B$`, 'm'));
    expect(text).toContain(cosign.digest);
    expect(text).not.toContain('xxxx');
  });

  it('are told to programs, and by bare digests', async () => {
    const { cli, root, sbom, ofSbom, cosign } = await signedCli();
    const report = (await cli.json('referrers', 'hello:1')) as { referrers: { digest: string }[] };
    expect(report).toMatchObject({ name: `${repository}:1`, digest: root.digest, manifests: [] });
    expect(report.referrers.find(({ digest }) => digest === sbom.digest)).toMatchObject({
      artifactType: sbomType,
      mediaType: sbom.mediaType,
      size: sbom.size,
      totalSize: sbom.size + 2 + `${sbomType} of ${root.digest}`.length,
      annotations: { [annotationKeys.created]: '2026-11-22T12:00:00Z' },
      referrers: [{ digest: ofSbom.digest, artifactType: signatureType, referrers: [] }],
    });
    expect((await cli.ok('referrers', 'hello:1', '-q')).stdout.trim().split('\n').toSorted()).toEqual([sbom, ofSbom, cosign].map(({ digest }) => digest).toSorted());
  });

  it('of each platform stand below it, attestations in the index too, or of one platform alone', async () => {
    const cli = new Cli();
    const { sboms, images } = await withStore(cli, async (store) => {
      const { images } = await addAttested(store, `${repository}:2`, [linux, { os: 'linux', architecture: 'arm64' }]);
      const sboms = [];
      for (const image of images) sboms.push(await addReferrer(store, image, { artifactType: sbomType }));
      return { sboms, images };
    });
    const { stdout } = await cli.ok('referrers', 'hello:2');
    expect(stdout).toMatch(new RegExp(`linux/amd64  ${images[0]?.digest}\n├─ attestation-manifest  sha256:\\w+  [\\d.]+ k?B  in the index\n└─ application/spdx\\+json  ${sboms[0]?.digest}  `));
    const one = await cli.json('referrers', 'hello:2', '--platform', 'linux/arm64');
    expect(one).toMatchObject({ referrers: [], manifests: [{ purpose: 'linux/arm64', referrers: [{ inIndex: true, artifactType: 'attestation-manifest' }, { digest: sboms[1]?.digest }] }] });
  });

  it('may be none', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    expect((await cli.ok('referrers', 'hello:1')).stdout).toBe(`hello:1  ${digest}\nnothing here refers to hello:1\n`);
    expect(await cli.run(['referrers', 'helo:1'])).toMatchObject({ status: 3 });
  });

  it('that are not whole are shown as such, and damaged ones are an error that names them', async () => {
    const { cli, sbom } = await signedCli();
    const path = join(cli.path('store'), 'blobs', sbom.digest.replace(':', '/'));
    const bytes = readFileSync(path);
    rmSync(path);
    expect((await cli.ok('referrers', 'hello:1')).stdout).toContain(`${sbom.digest}  incomplete`);
    writeFileSync(path, bytes.fill(32));
    const damaged = await cli.run(['referrers', 'hello:1']);
    expect(damaged).toMatchObject({ status: 4, stdout: '' });
    expect(damaged.stderr).toContain(sbom.digest);
  });

  it('cannot steer a terminal or forge lines', async () => {
    const cli = new Cli();
    await cli.create();
    await withStore(cli, async (store) => addReferrer(store, (await store.resolve('hello:1')).descriptor, { changes: { artifactType: 'a/b\n\u001b[31mforged' } }));
    expect((await cli.ok('referrers', 'hello:1')).stdout).toContain('a/b\\x0a\\x1b[31mforged');
  });

  it('beyond a limit are an error', async () => {
    const { cli } = await signedCli();
    expect(await cli.run(['referrers', 'hello:1', '--max-referrers', '2'])).toMatchObject({ status: 4, stdout: '' });
    expect(await cli.run(['export', 'hello:1', '@out.tar', '--referrers', '--max-referrers', '2'])).toMatchObject({ status: 4 });
    await cli.ok('export', 'hello:1', '@out.tar', '--referrers', '--max-referrers', '3');
    expect(await cli.run(['referrers', 'hello:1', '--max-referrers', 'many'])).toMatchObject({ status: 2 });
  });
});

describe('--referrers', () => {
  it('takes them along: export, import, and export again give equal bytes', async () => {
    const { cli } = await signedCli();
    const exported = await cli.ok('export', 'hello:1', '@one.tar', '--referrers');
    expect(exported.stdout).toContain('exported 1 image and 3 referrers to ');
    expect(exported.stderr).toBe('');
    const imported = await cli.ok('import', '@one.tar', '--referrers', '--store', '@second');
    expect(imported.stdout).toContain('imported 1 image and 3 referrers from ');
    await cli.ok('export', 'hello:1', '@two.tar', '--referrers', '--store', '@second');
    expect(readFileSync(cli.path('two.tar')).equals(readFileSync(cli.path('one.tar')))).toBe(true);
    await cli.ok('verify', '--store', '@second');
    await cli.ok('verify', '@one.tar');
  });

  it('tells programs what it took, each with its subject', async () => {
    const { cli, root, sbom, ofSbom } = await signedCli();
    const report = (await cli.json('export', 'hello:1', '@one.tar', '--referrers')) as { referrers: { digest: string; subject: string }[] };
    expect(report.referrers).toHaveLength(3);
    expect(report.referrers.find(({ digest }) => digest === ofSbom.digest)?.subject).toBe(sbom.digest);
    expect(report.referrers.find(({ digest }) => digest === sbom.digest)?.subject).toBe(root.digest);
  });

  it('is missed with a note: how many were left behind', async () => {
    const { cli } = await signedCli();
    const { stderr } = await cli.ok('export', 'hello:1', '@plain.tar');
    expect(stderr).toBe('left behind: at least 2 referrers (signatures, attestations, SBOMs); --referrers takes them along\n');
    expect(await cli.json('export', 'hello:1', '@plain.tar')).toMatchObject({ referrersLeft: 2 });
    await cli.ok('export', 'hello:1', '@signed.tar', '--referrers');
    expect((await cli.ok('import', '@signed.tar', '--store', '@second')).stderr).toContain('left behind: at least 2 referrers');
    expect((await cli.ok('images', '-q', '--store', '@second')).stdout).toBe('hello:1\n');
  });

  it('lists no images beside the image, and prune keeps what refers to it', async () => {
    const { cli, ofSbom } = await signedCli();
    await cli.ok('export', 'hello:1', '@one.tar', '--referrers');
    await cli.ok('import', '@one.tar', '--referrers', '--store', '@second');
    expect((await cli.ok('images', '-q', '--store', '@second')).stdout).toBe('hello:1\n');
    await cli.ok('prune', '--store', '@second');
    expect((await cli.ok('referrers', 'hello:1', '-q', '--store', '@second')).stdout).toContain(ofSbom.digest);
    await cli.ok('export', 'hello:1', '@two.tar', '--referrers', '--store', '@second');
    expect(readFileSync(cli.path('two.tar')).equals(readFileSync(cli.path('one.tar')))).toBe(true);
  });
});
