import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { openDirectory } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addMulti } from '../support/multi.ts';
import type { MultiImage } from '../support/multi.ts';
import { Cli } from './support.ts';

async function withMulti(cli: Cli): Promise<MultiImage> {
  const store = await openDirectory(cli.path('store'), { mayBeNew: true });
  const multi = await addMulti(store, 'docker.io/library/multi:1', ['linux/amd64', 'linux/arm64'], { attestations: true });
  await store.close();
  return multi;
}

describe('a dry run', () => {
  it('of an export says what would be written, and writes nothing', async () => {
    const cli = new Cli();
    const { image, of } = await withMulti(cli);
    const before = readdirSync(cli.dir);
    const { stdout, stderr } = await cli.ok('export', 'multi:1', '@out.tar', '--platform', 'linux/arm64', '--dry-run');
    expect(readdirSync(cli.dir)).toEqual(before);
    expect(stderr).toBe('');
    const lines = stdout.split('\n');
    expect(lines[0]).toBe(`multi:1  ${image.descriptor.digest}  sparse`);
    expect(lines.slice(1, 5).map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['linux/amd64', 'filtered'],
      ['linux/arm64', 'complete', expect.stringMatching(/^3 blobs, /) as string],
      ['attestation-manifest', 'filtered'],
      ['attestation-manifest', 'complete', expect.stringMatching(/^3 blobs, /) as string],
    ]);
    expect(lines[5]).toMatch(/^ok: 7 blobs, [\d.]+ kB to write, 0 blobs, 0 B there already$/);
    const json = await cli.json('export', 'multi:1', '@out.tar', '--platform', 'linux/arm64', '--dry-run');
    const real = (await cli.json('export', 'multi:1', '@out.tar', '--platform', 'linux/arm64')) as { readonly blobs: number; readonly bytes: number };
    expect(json).toMatchObject({ dryRun: true, ok: true, status: 0, moving: { blobs: real.blobs, bytes: real.bytes }, images: [{ state: 'sparse', parts: [{ digest: of['linux/amd64']?.manifest.digest, state: 'filtered' }, { platforms: ['linux/arm64'] }, {}, {}] }] });
  });

  it('of an import makes no store, and tells what one has already', async () => {
    const cli = new Cli();
    await withMulti(cli);
    await cli.ok('export', 'multi:1', '@out.tar');
    expect(await cli.json('import', '@out.tar', '--dry-run', '--verify', '--store', '@second')).toMatchObject({ ok: true, moving: { blobs: 13 }, there: { blobs: 0 } });
    expect(existsSync(cli.path('second'))).toBe(false);
    await cli.ok('import', '@out.tar', '--platform', 'linux/amd64', '--store', '@second');
    expect(await cli.json('import', '@out.tar', '--dry-run', '--store', '@second')).toMatchObject({ moving: { blobs: 6 }, there: { blobs: 7 } });
  });

  it('of a copy makes no directory and no archive', async () => {
    const cli = new Cli();
    await withMulti(cli);
    const before = readdirSync(cli.dir);
    for (const target of ['oci:@layout:v1', 'oci-archive:@out.tar:v1', 'other:1']) {
      expect(await cli.json('copy', 'multi:1', target, '--dry-run')).toMatchObject({ ok: true, target: expect.any(String) as string, moving: { blobs: target === 'other:1' ? 0 : 13 } });
    }
    expect(readdirSync(cli.dir)).toEqual(before);
    expect((await cli.ok('images', '-q')).stdout).toBe('multi:1\n');
  });

  it('ends with the status that the move would end with, and lists what is missing', async () => {
    const cli = new Cli();
    const { of } = await withMulti(cli);
    await cli.ok('export', 'multi:1', '@one.tar', '--platform', 'linux/amd64');
    const arm = of['linux/arm64']?.manifest;
    const { status, stdout, stderr } = await cli.run(['import', '@one.tar', '--all-platforms', '--dry-run']);
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^ {2}linux/arm64 +absent +lacks 1 blob, \\d+ B\\n +absent +${arm?.digest} `, 'm'));
    expect(stdout).toMatch(/^would end with status 3: .*multi:1 is incomplete/m);
    const json = await cli.run(['import', '@one.tar', '--all-platforms', '--dry-run', '--json']);
    expect(json.status).toBe(3);
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, status: 3, error: { code: 'NOT_FOUND' }, images: [{ state: 'incomplete' }] });
    for (const [args, expected] of [
      [['import', '@one.tar', '--platform', 'linux/s390x'], 3],
      [['import', '@one.tar', '--base-name', 'example.org/none'], 3],
      [['import', '@none.tar'], 3],
      [['export', 'none:1', '@out.tar'], 3],
      [['export', 'multi:1', '@no/such/folder/out.tar'], 3],
      [['export', 'multi:1', '@rootfs'], 2],
      [['copy', 'multi:1', 'oci-archive:@no/such/folder/out.tar'], 3],
      [['copy', 'multi:1', 'docker-archive:@out.tar:multi:1'], 6],
      [['copy', 'multi:1', 'docker-archive:@fine.tar:multi:1', '--platform', 'linux/amd64'], 0],
    ] as const) {
      const [dry, real] = [await cli.run([...args, '--dry-run']), await cli.run(args)];
      expect({ args, dry: dry.status, real: real.status }).toEqual({ args, dry: expected, real: expected });
    }
  });

  it('finds damage of documents always, and of layers with --verify', async () => {
    const cli = new Cli();
    const { of } = await withMulti(cli);
    await cli.ok('export', 'multi:1', '@out.tar');
    const flip = (digest: string, name: string) => {
      const bytes = readFileSync(cli.path('out.tar'));
      const header = bytes.indexOf(`blobs/sha256/${digest.slice(7)}`, 0, 'latin1');
      const at = header + 512 + 3;
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(cli.path(name), bytes);
    };
    flip(of['linux/arm64']?.layers[0]?.digest ?? '', 'layer.tar');
    flip(of['linux/arm64']?.manifest.digest ?? '', 'manifest.tar');
    expect((await cli.run(['import', '@layer.tar', '--dry-run'])).status).toBe(0);
    const { status, stdout } = await cli.run(['import', '@layer.tar', '--dry-run', '--verify']);
    expect(status).toBe(4);
    expect(stdout).toMatch(/^ {2}linux\/arm64 +corrupt/m);
    expect(stdout).toContain(`DIGEST_MISMATCH ${of['linux/arm64']?.layers[0]?.digest}`);
    expect((await cli.run(['import', '@manifest.tar', '--dry-run'])).status).toBe(4);
    for (const name of ['@layer.tar', '@manifest.tar']) expect((await cli.run(['import', name, '--store', '@second'])).status).toBe(4);
  });

  it('reads a compressed archive, and refuses a pipe', async () => {
    const cli = new Cli();
    await cli.create();
    const { bytes } = await cli.ok('export', 'hello:1', '-', '-q');
    writeFileSync(cli.path('in.tar.gz'), gzipSync(bytes));
    expect(await cli.json('import', '@in.tar.gz', '--dry-run')).toMatchObject({ ok: true, there: { blobs: 3 } });
    expect(await cli.run(['import', '-', '--dry-run'], { stdin: bytes })).toMatchObject({ status: 7, stdout: '', stderr: expect.stringContaining('into a file first') as string });
  });

  it('finds out that the target is no sound layout', async () => {
    const cli = new Cli();
    await cli.create();
    mkdirSync(cli.path('bad'));
    writeFileSync(cli.path('bad/oci-layout'), '{"imageLayoutVersion":"9.0.0"}');
    for (const more of [['--dry-run'], []]) expect((await cli.run(['copy', 'hello:1', 'oci:@bad:v1', ...more])).status).toBe(4);
  });

  it('with -q prints the names of what would move', async () => {
    const cli = new Cli();
    await cli.create();
    expect((await cli.ok('export', 'hello:1', '@out.tar', '--dry-run', '-q')).stdout).toBe('hello:1\n');
  });
});
