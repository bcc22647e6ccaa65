import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Cli } from '../cli/support.ts';

const hex = /^[0-9a-f]{64}$/;

describe('oci-tar and dir:', () => {
  it('copies there and back, byte for byte', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.ok('copy', 'hello:1', 'dir:@image');
    expect((await readdir(cli.path('image'))).filter((name) => !hex.test(name)).toSorted()).toEqual(['manifest.json', 'version']);
    await cli.ok('copy', 'dir:@image', 'store:back:1');
    expect(await cli.json('images')).toMatchObject([{ name: 'docker.io/library/back:1', digest }, { name: 'docker.io/library/hello:1', digest }]);
  });

  it('lists, inspects, verifies and exports the image there', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.ok('copy', 'hello:1', 'dir:@image');
    expect(await cli.json('images', 'dir:@image')).toMatchObject([{ digest, platforms: ['linux/amd64'] }]);
    expect(Buffer.from((await cli.ok('inspect', 'dir:@image', '--raw')).bytes)).toEqual(await readFile(cli.path('image/manifest.json')));
    expect(await cli.json('verify', '--all', 'dir:@image')).toMatchObject({ ok: true });
    await cli.ok('export', 'dir:@image', '@out.tar');
    await cli.ok('import', '@out.tar', 'again:1');
    expect(await cli.json('images')).toMatchObject([{ name: 'docker.io/library/again:1', digest }, { name: 'docker.io/library/hello:1', digest }]);
  });

  it('finds a damaged blob, with exit status 4, and one that nothing needs only with --all', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'dir:@image');
    await writeFile(cli.path(`image/${'0'.repeat(64)}`), 'of no image');
    expect((await cli.run(['verify', 'dir:@image'])).status).toBe(0);
    expect((await cli.run(['verify', '--all', 'dir:@image'])).status).toBe(4);
    const [blob = ''] = (await readdir(cli.path('image'))).filter((name) => hex.test(name) && !/^0+$/.test(name));
    await writeFile(cli.path(`image/${blob}`), 'damaged');
    expect((await cli.run(['verify', 'dir:@image'])).status).toBe(4);
  });

  it('asks for a name where the store needs one', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'dir:@image');
    const refused = await cli.run(['copy', 'dir:@image', 'store:']);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('store:NAME');
  });

  it('says in a dry run what would be new, and touches nothing', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'dir:@image', '--dry-run');
    expect(existsSync(cli.path('image'))).toBe(false);
    await cli.ok('copy', 'hello:1', 'dir:@image');
    expect(await cli.json('copy', 'hello:1', 'dir:@image', '--dry-run')).toMatchObject({ moving: { blobs: 0 }, there: { blobs: 3 } });
  });

  it('refuses a directory of something else, in a dry run too', async () => {
    const cli = new Cli();
    await cli.create();
    await mkdir(cli.path('mine'));
    await writeFile(cli.path('mine/notes.txt'), 'mine');
    for (const more of [[], ['--dry-run']]) {
      const refused = await cli.run(['copy', 'hello:1', 'dir:@mine', ...more]);
      expect(refused.status, refused.stderr).not.toBe(0);
      expect(refused.stderr).toContain('notes.txt');
    }
    expect(await readdir(cli.path('mine'))).toEqual(['notes.txt']);
  });

  it('is found behind a plain path, and a layout beside it is not mistaken for one', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'dir:@image');
    await cli.ok('copy', 'hello:1', 'oci:@layout:v1');
    expect((await cli.ok('ls', '@image')).stdout).toBe('/hello.sh\n');
    expect((await cli.ok('diff', '@image', '@layout', '--exit-code')).status).toBe(0);
    await writeFile(cli.path('layout/version'), '');
    await writeFile(cli.path('layout/manifest.json'), '[]');
    expect((await cli.ok('images', '@layout', '-q')).stdout).toBe('v1\n');
    for (const [place, scheme] of [['image', 'dir'], ['layout', 'oci']]) {
      expect(await cli.run(['import', `@${place}`])).toMatchObject({ status: 2, stderr: expect.stringContaining(`oci-tar copy ${scheme}:${cli.path(place ?? '')} store:NAME`) as string });
    }
  });

  it('is not compressed as a whole, which is for archives', async () => {
    const cli = new Cli();
    await cli.create();
    const refused = await cli.run(['copy', 'hello:1', 'dir:@image', '--compress', 'gzip']);
    expect(refused.stderr).toContain('only an archive is compressed');
  });
});
