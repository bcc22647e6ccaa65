import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Cli } from './support.ts';

describe('convert', () => {
  it('writes the layers of an image in another form, in the store or out of one archive into another', async () => {
    const cli = new Cli();
    await cli.create();
    const outcome = await cli.run(['convert', 'hello:1', 'hello:z', '--zstd']);
    expect(outcome).toMatchObject({ status: 0, stdout: expect.stringMatching(/^hello:z {2}sha256:[0-9a-f]{64}\n1 layer to zstd: .* before, .* now\n$/) as string });
    expect(await cli.json('layers', 'hello:z', '--quick')).toMatchObject({ layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }] });
    await cli.ok('export', 'hello:z', '@z.tar');
    await cli.ok('convert', '@z.tar', 'oci-archive:@e.tar:hello:e', '--estargz');
    expect((await cli.run(['verify', '@e.tar'])).status).toBe(0);
    expect(Buffer.from((await cli.ok('cat', '@e.tar', '/hello.sh')).bytes).toString()).toContain('#!');
    expect((await cli.run(['convert', 'hello:z', 'hello:zz', '--zstd'])).stdout).toContain('every layer is zstd already');
  });

  it('gives the same image every time, whatever compressed it before', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('convert', 'hello:1', 'hello:z', '--zstd');
    const digests = await Promise.all(['hello:1', 'hello:z'].map(async (image) => (await cli.ok('convert', image, 'hello:e', '--estargz', '--level', '9', '-q')).stdout));
    expect(digests[0]).toBe(digests[1]);
  });

  it('writes layers anew that have the form where a flag says how, or their tables are elsewhere', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('convert', 'hello:1', 'hello:e', '--estargz');
    expect((await cli.ok('convert', 'hello:e', 'hello:same', '--estargz')).stdout).toContain('every layer is estargz already');
    for (const flags of [['--level', '1'], ['--chunk-size', '1000'], ['--external-toc']]) {
      expect((await cli.ok('convert', 'hello:e', 'hello:x', '--estargz', ...flags)).stdout, flags.join(' ')).toContain('1 layer to estargz');
    }
    expect((await cli.ok('convert', 'hello:x', 'hello:back', '--estargz')).stdout).toContain('1 layer to estargz');
    expect(await cli.json('toc', 'hello:back')).toMatchObject({ layers: [{ voucher: 'vouched' }] });
    expect((await cli.ok('convert', 'hello:1', 'hello:plain', '--uncompressed')).stdout).toContain('1 layer to plain tar');
  });

  it("says that docker's media types lose annotations, where there are some", async () => {
    const cli = new Cli();
    await cli.create();
    expect((await cli.run(['convert', 'hello:1', 'hello:d', '--zstd', '--docker'])).stderr).toBe('');
    await cli.ok('convert', 'hello:1', 'hello:e', '--estargz');
    expect((await cli.run(['convert', 'hello:1', 'hello:d', '--estargz', '--docker'])).stderr).toContain('nobody can vouch');
    await cli.ok('config', 'hello:1', 'hello:noted', '--annotation', 'org.example=1');
    expect((await cli.run(['convert', 'hello:noted', 'hello:d', '--zstd', '--docker'])).stderr).toContain('those of the image are lost');
  });

  it('tells what goes with what', async () => {
    const cli = new Cli();
    await cli.create();
    writeFileSync(cli.path('first.txt'), 'hello.sh\nnone\n');
    for (const flags of [[], ['--zstd', '--gzip'], ['--zstd', '--chunk-size', '1'], ['--uncompressed', '--level', '3'], ['--estargz', '--keep-diff-id'], ['--gzip', '--oci', '--docker'], ['--estargz', '--chunk-size', 'x'], ['--gzip', '--level', '10']]) {
      expect(await cli.run(['convert', 'hello:1', 'hello:x', ...flags]), flags.join(' ')).toMatchObject({ status: 2 });
    }
    expect(await cli.run(['convert', 'hello:1', 'hello:x', '--estargz', '--prioritize', '@first.txt'])).toMatchObject({ status: 3 });
    const told = await cli.run(['convert', 'hello:1', 'hello:x', '--estargz', '--prioritize', '@first.txt', '--allow-missing-prioritized']);
    expect(told).toMatchObject({ status: 0, stderr: expect.stringContaining('no layer has none') as string });
    expect(await cli.run(['convert', 'hello:1', 'hello:x', '--gzip', '--allow-missing-prioritized'])).toMatchObject({ status: 2 });
    expect(await cli.run(['convert', 'hello:1', 'hello:x', '--estargz', '--prioritize', '@nowhere.txt'])).toMatchObject({ status: 3, stderr: expect.stringContaining('nowhere.txt cannot be read') as string });
    expect(await cli.run(['convert', 'hello:none', 'hello:x', '--gzip'])).toMatchObject({ status: 3 });
  });
});
