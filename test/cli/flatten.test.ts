import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Cli, writeTree } from './support.ts';

/** An image of three layers, of which the second takes away what the first has. */
async function layered(): Promise<Cli> {
  const cli = new Cli();
  await cli.create();
  writeTree(cli.path('app'), { 'srv/app.js': 'app\n' });
  await cli.ok('append', 'hello:1', 'hello:2', '--whiteout', '/hello.sh');
  await cli.ok('append', 'hello:2', 'app:1', '--layer', '@app', '--created-by', 'COPY');
  return cli;
}

describe('flatten', () => {
  it('makes an image of one layer, and says of what', async () => {
    const cli = await layered();
    const { stdout, stderr } = await cli.ok('flatten', 'app:1', 'app:flat');
    expect(stdout).toMatch(/^app:flat {2}sha256:[0-9a-f]{64}\nflattened 3 layers for linux\/\w+ into one\n$/);
    expect(stderr).toBe('');
    expect((await cli.ok('ls', '-R', 'app:flat')).stdout).toBe((await cli.ok('ls', '-R', 'app:1')).stdout);
    expect(await cli.json('layers', 'app:flat', '--quick')).toMatchObject({ layers: [{ history: { created_by: 'oci-tar flatten', comment: '3 layers merged into one' } }] });
    expect((await cli.run(['verify'])).status).toBe(0);
  });

  it('keeps lower layers, dates the image as it is told, and gives the same every time', async () => {
    const cli = await layered();
    const flatten = (...more: readonly string[]) => cli.json('flatten', 'app:1', 'app:flat', ...more) as Promise<{ digest: string; manifests: unknown[] }>;
    expect((await flatten()).digest).toBe((await flatten()).digest);
    const based = await flatten('--keep-base', '1', '--created', '2026-01-01T00:00:00Z', '--created-by', 'squash', '--compress', 'zstd', '--level', '3');
    expect(based).toMatchObject({ name: 'docker.io/library/app:flat', target: 'app:flat', manifests: [{ merged: 2 }] });
    const { stdout } = await cli.run(['flatten', 'app:1', 'app:again', '--keep-base', '1', '--created-by', 'squash', '--compress', 'zstd', '--level', '3', '-q'], { env: { SOURCE_DATE_EPOCH: '1767225600' } });
    expect(stdout).toBe(`${based.digest}\n`);
    expect((await cli.ok('ls', '-R', 'app:flat')).stdout).toBe('/srv\n/srv/app.js\n');
    const [base] = ((await cli.json('layers', 'hello:1', '--quick')) as { layers: { digest: string }[] }).layers;
    expect(await cli.json('layers', 'app:flat', '--quick')).toMatchObject({ layers: [{ digest: base?.digest }, { history: { created: '2026-01-01T00:00:00Z', created_by: 'squash' } }] });
  });

  it('writes the merged tree as a tar, into a pipe or a file', async () => {
    const cli = await layered();
    const piped = await cli.ok('flatten', 'app:1', '--tar');
    const { stdout } = await cli.ok('flatten', 'app:1', '--tar', '-o', '@root.tar');
    expect(stdout).toMatch(/^flattened app:1 to .*root\.tar: /);
    expect(Buffer.compare(readFileSync(cli.path('root.tar')), piped.bytes)).toBe(0);
    expect(execFileSync('tar', ['-tf', cli.path('root.tar')], { encoding: 'utf8' })).toBe('srv/\nsrv/app.js\n');
    expect(await cli.json('flatten', 'app:1', '--tar', '-o', '@root.tar')).toMatchObject({ bytes: piped.bytes.length });
  });

  it('takes the image from any place to any other', async () => {
    const cli = await layered();
    await cli.ok('export', 'app:1', '@app.tar');
    await cli.ok('copy', 'app:1', 'docker-archive:@docker.tar:app:1');
    for (const source of ['@app.tar', 'oci-archive:@app.tar', 'docker-archive:@docker.tar', 'store:app:1']) {
      for (const target of ['oci:@layout:flat', 'oci-archive:@flat.tar:flat', 'docker-archive:@flat-docker.tar:app:flat', 'store:app:flat']) {
        await cli.ok('flatten', source, target);
        expect((await cli.ok('ls', '-R', target)).stdout).toBe('/srv\n/srv/app.js\n');
      }
    }
  });

  it.each([
    [['flatten', 'app:1'], 2, /no name/],
    [['flatten', 'app:1', '-'], 2, /not written to standard output/],
    [['flatten', 'app:1', 'x:1', '--tar'], 2, /no new image/],
    [['flatten', 'app:1', '--tar', '--keep-base', '1'], 2, /of an image/],
    [['flatten', 'app:1', 'x:1', '-o', '@out.tar'], 2, /file of --tar/],
    [['flatten', 'app:1', 'x:1', '--keep-base', 'all'], 2, /number of layers/],
    [['flatten', 'app:1', 'x:1', '--keep-base', '2'], 2, /nothing to flatten/],
    [['flatten', 'app:1', 'x:1', '--compress', 'none', '--level', '3'], 2, /--compress is none/],
    [['flatten', 'app:1', 'store:'], 2, /no name/],
    [['flatten', 'none:1', 'x:1'], 3, /no image/],
    [['flatten', 'none:1', '--tar', '-o', '@out.tar'], 3, /no image/],
    [['flatten', 'app:1', 'x:1', '--platform', 'linux/riscv64'], 3, /for these platforms/],
    [['flatten', 'app:1', '--tar', '--platform', 'linux/riscv64', '-o', '@out.tar'], 3, /linux\/riscv64/],
  ])('refuses %j and leaves nothing', async (words, status, says) => {
    const cli = await layered();
    expect(await cli.run(words)).toMatchObject({ status, stderr: expect.stringMatching(says) as string });
    expect((await cli.ok('images', '-q')).stdout).not.toContain('x:1');
    expect(existsSync(cli.path('out.tar'))).toBe(false);
    expect(readdirSync(cli.dir).filter((name) => name.includes('out'))).toEqual([]);
    expect((await cli.run(['verify', '--all'])).status).toBe(0);
  });

  it('writes no tar to a terminal', async () => {
    const cli = await layered();
    expect(await cli.run(['flatten', 'app:1', '--tar'], { terminal: true })).toMatchObject({ status: 2, stderr: expect.stringMatching(/terminal/) as string });
  });
});
