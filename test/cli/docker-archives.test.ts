import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { crane, docker1, docker24, sampleImage, tarOf } from '../layout/docker-archives.ts';
import { Cli } from './support.ts';

const image = await sampleImage({ tags: ['app:1', 'example.org/app:2'] });
const other = await sampleImage({ tags: ['other:1'], layers: [{ other: 'one' }] });

describe('docker archives on the command line', () => {
  it('are listed, inspected, verified and imported like any other', async () => {
    const cli = new Cli();
    for (const [name, write] of Object.entries({ docker1, docker24, crane })) {
      writeFileSync(cli.path(`${name}.tar`), tarOf(await write(image)));
      expect((await cli.ok('images', `@${name}.tar`, '-q')).stdout).toBe('app:1\nexample.org/app:2\n');
      expect(await cli.json('inspect', `docker-archive:@${name}.tar:app:1`)).toMatchObject({ name: 'docker.io/library/app:1' });
      expect(await cli.json('verify', `@${name}.tar`)).toMatchObject({ ok: true });
      expect((await cli.ok('import', `@${name}.tar`, '-q')).stdout).toBe('app:1\nexample.org/app:2\n');
      expect((await cli.run(['import', '-', '-q'], { stdin: tarOf(await write(image)) })).status).toBe(0);
    }
    expect(await cli.json('verify')).toMatchObject({ ok: true });
  });

  it('say that compressed layers are read first', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('crane.tar'), tarOf(await crane(image)));
    expect((await cli.ok('import', '@crane.tar')).stderr).toContain('does not tell the digests of its layers');
  });

  it('give one of several images by its name or position', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('two.tar'), tarOf(await docker24(image, other)));
    await cli.ok('copy', 'docker-archive:@two.tar:other:1', 'store:');
    await cli.ok('copy', 'docker-archive:@two.tar:@0', 'store:first:1');
    expect((await cli.ok('images', '-q')).stdout).toBe('first:1\nother:1\n');
    const unsaid = await cli.run(['copy', 'docker-archive:@two.tar', 'store:x:1']);
    expect(unsaid.status).not.toBe(0);
    expect(unsaid.stderr).toContain('other:1');
  });

  it('are written by copy, under the name that is given', async () => {
    const cli = new Cli();
    await cli.create('hello:1');
    await cli.ok('copy', 'hello:1', 'docker-archive:@named.tar:hello:2');
    await cli.ok('copy', 'hello:1', 'docker-archive:@nameless.tar.gz');
    expect((await cli.ok('images', '@named.tar', '-q')).stdout).toBe('hello:2\n');
    expect(await cli.json('images', '@nameless.tar.gz')).toMatchObject([{ platforms: ['linux/amd64'] }]);
    await cli.ok('import', '@nameless.tar.gz', 'again:1');
    expect((await cli.ok('verify')).stdout).toContain('ok');
  });

  it('get compressed layers on import when that is asked for', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('in.tar'), tarOf(await docker24(other)));
    await cli.ok('import', '@in.tar', 'plain:1');
    await cli.ok('import', '@in.tar', 'packed:1', '--compress-blobs');
    const layerOf = async (name: string) => Buffer.from((await cli.run(['inspect', name, '--raw'])).bytes).toString();
    expect(await layerOf('plain:1')).not.toContain('tar+gzip');
    expect(await layerOf('packed:1')).toContain('tar+gzip');
    expect((await cli.ok('verify')).stdout).toContain('ok');
  });

  it('are left out of an OCI archive with --skip-manifest-json', async () => {
    const cli = new Cli();
    await cli.create('hello:1');
    const listing = async (...flags: readonly string[]) => Buffer.from((await cli.run(['export', 'hello:1', '-', ...flags])).bytes).toString('latin1').includes('manifest.json\0');
    expect(await listing()).toBe(true);
    expect(await listing('--skip-manifest-json')).toBe(false);
  });
});
