import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Cli, writeTree } from '../cli/support.ts';

/** An image of a few files, once as it is and once with one more. */
async function twoImages(): Promise<Cli> {
  const cli = new Cli();
  writeTree(cli.path('rootfs'), Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`file${i}`, `${i} `.repeat(2000)])));
  await cli.ok('create', 'a:1', '--layer', '@rootfs', '--compress', 'none');
  writeTree(cli.path('rootfs'), { more: 'more '.repeat(1000) });
  await cli.ok('create', 'a:2', '--layer', '@rootfs', '--compress', 'none');
  for (const name of ['a:1', 'a:2']) await cli.ok('copy', name, `dedup:@images:${name}`);
  return cli;
}

it('a deduplicated store is copied to, listed, verified and measured by its place', async () => {
  const cli = await twoImages();
  expect((await cli.ok('images', 'dedup:@images', '-q')).stdout).toBe('a:1\na:2\n');
  expect((await cli.ok('verify', 'dedup:@images')).stdout).toContain('ok (2 images');
  const usage = await cli.json('usage', 'dedup:@images');
  expect(usage).toMatchObject({ blobs: 6, layersTakenApart: 2, files: 6 });
  expect((await cli.ok('usage', 'dedup:@images')).stdout).toMatch(/6 blobs of .* saved; 2 layers taken apart into 6 files\n$/);
  expect((await cli.ok('usage')).stdout).toMatch(/6 blobs of (.*) in \1\n$/);
});

it('and is then a local store like any other: tag, rm, prune, export, verify', async () => {
  const cli = await twoImages();
  const store = ['--store', cli.path('images')];
  await cli.ok('tag', 'a:2', 'b:1', ...store);
  await cli.ok('rm', 'a:1', ...store);
  expect(await cli.json('prune', ...store)).toMatchObject({ blobs: 3 });
  await cli.ok('export', 'b:1', '@out.tar', ...store);
  expect((await cli.ok('verify', '@out.tar')).stdout).toContain('ok (1 image');
  expect((await cli.ok('verify', '--all', ...store)).stdout).toContain('ok (2 images');
  await cli.ok('rm', 'a:2', 'b:1', '--prune', ...store);
  expect(await cli.json('usage', ...store)).toMatchObject({ blobs: 0, storedBytes: 0 });
  expect(existsSync(cli.path('images/.oci-tar'))).toBe(false);
});
