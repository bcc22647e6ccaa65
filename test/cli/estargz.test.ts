import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { directory, file, hardlink, symlink, tarOf } from '../seekable/support.ts';
import { Cli } from './support.ts';

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A command line with a tar in its folder. */
async function cliWithTar(): Promise<{ readonly cli: Cli; readonly tar: Uint8Array }> {
  const cli = new Cli();
  const tar = await tarOf(directory('d/', { mode: 0o755 }), file('d/first', 'one '.repeat(100)), file('second', 'two', { mode: 0o640, uid: 7, mtime: 1_700_000_000 }), hardlink('link', 'second'), symlink('sym', 'd'), { path: 'null', type: 'character-device', devmajor: 1, devminor: 3 });
  writeFileSync(cli.path('in.tar'), tar);
  return { cli, tar };
}

interface Built {
  readonly digest: string;
  readonly diffID: string;
  readonly tocDigest: string;
  readonly size: number;
  readonly format: string;
}

describe('estargz', () => {
  it('builds a layer, verifies it at every level and unpacks it', async () => {
    const { cli } = await cliWithTar();
    const built = (await cli.json('estargz', 'build', '@in.tar', '@out.esgz', '--chunk-size', '100', '--level', '9')) as Built;
    const blob = readFileSync(cli.path('out.esgz'));
    expect(built).toMatchObject({ format: 'estargz', digest: digestOf(blob), size: blob.length, diffID: digestOf(gunzipSync(blob)), mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' });
    for (const level of ['1', '2', '3']) {
      const promised = level === '3' ? ['--digest', built.digest, '--diff-id', built.diffID] : [];
      expect(await cli.json('estargz', 'verify', '@out.esgz', '--level', level, '--toc-digest', built.tocDigest, ...promised)).toMatchObject({ level: Number(level), tocDigest: built.tocDigest, vouched: true });
    }
    await cli.ok('estargz', 'unpack', '@out.esgz', '@again.tar');
    const again = (await cli.json('estargz', 'build', '@again.tar', '@again.esgz', '--chunk-size', '100', '--level', '9')) as Built;
    expect(again.digest).toBe(built.digest);
    expect((await cli.ok('estargz', 'verify', '@out.esgz')).stdout).toMatch(/^estargz: good at level 3\nTOC {5}sha256:/);
    expect((await cli.run(['estargz', 'verify', '@out.esgz'])).stderr).toContain('nothing vouches');
    expect((await cli.run(['estargz', 'verify', '@out.esgz', '--toc-digest', built.tocDigest])).stderr).toBe('');
  });

  it('keeps every byte on request, with the table of contents in a file of its own', async () => {
    const { cli, tar } = await cliWithTar();
    const built = (await cli.json('estargz', 'build', '@in.tar', '@out.esgz', '--lossless', '--external-toc', '@toc.tgz')) as Built;
    expect(built).toMatchObject({ format: 'estargz-external-toc', diffID: digestOf(tar) });
    expect(Buffer.from((await cli.ok('estargz', 'unpack', '@out.esgz', '-')).bytes).equals(tar)).toBe(true);
    expect(await cli.json('estargz', 'verify', '@out.esgz', '--external-toc', '@toc.tgz', '--toc-digest', built.tocDigest)).toMatchObject({ level: 3 });
    expect(digestOf((await cli.ok('estargz', 'toc', '@out.esgz', '--external-toc', '@toc.tgz')).bytes)).toBe(built.tocDigest);
    expect(await cli.run(['estargz', 'verify', '@out.esgz'])).toMatchObject({ status: 3, stderr: expect.stringContaining('TOC') as string });
  });

  it('works in pipes, with its words on standard error', async () => {
    const { cli, tar } = await cliWithTar();
    const built = await cli.run(['estargz', 'build', '-', '-', '--level', '1'], { stdin: tar });
    expect(built).toMatchObject({ status: 0, stdout: '', stderr: expect.stringMatching(/^layer {3}sha256:/) as string });
    expect(await cli.run(['estargz', 'verify', '-', '-q'], { stdin: built.bytes })).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^sha256:\w+\n$/) as string });
    const toc = await cli.run(['estargz', 'toc', '-'], { stdin: built.bytes });
    expect(JSON.parse(Buffer.from(toc.bytes).toString())).toMatchObject({ version: 1 });
    const unpacked = await cli.run(['estargz', 'unpack', '-', '-'], { stdin: built.bytes });
    expect(Buffer.from(unpacked.bytes.subarray(0, 100)).toString()).toContain('.no.prefetch.landmark');
  });

  it('prints the table of contents as it stands in the layer, for programs with what it is, and for people', async () => {
    const { cli } = await cliWithTar();
    const built = (await cli.json('estargz', 'build', '@in.tar', '@out.esgz', '--chunk-size', '300')) as Built;
    expect(digestOf((await cli.ok('estargz', 'toc', '@out.esgz')).bytes)).toBe(built.tocDigest);
    expect(await cli.json('estargz', 'toc', '@out.esgz')).toMatchObject({ format: 'estargz', tocDigest: built.tocDigest, toc: { version: 1, entries: expect.any(Array) as unknown[] } });
    const { stdout } = await cli.ok('estargz', 'toc', '@out.esgz', '-l');
    expect(stdout.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      'mode owner size time chunks at name',
      expect.stringMatching(/^---------- 0:0 1 1970-01-01T00:00:00Z 1 \d+ \/\.no\.prefetch\.landmark$/),
      'drwxr-xr-x 0:0 0 1970-01-01T00:00:00Z - - /d',
      expect.stringMatching(/^-\S+ 0:0 400 1970-01-01T00:00:00Z 2 \d+ \/d\/first$/),
      expect.stringMatching(/^-rw-r----- 7:0 3 2023-11-14T22:13:20Z 1 \d+ \/second$/),
      expect.stringMatching(/^h\S+ 0:0 0 1970-01-01T00:00:00Z - - \/link link to \/second$/),
      expect.stringMatching(/^l\S+ 0:0 0 1970-01-01T00:00:00Z - - \/sym -> d$/),
      expect.stringMatching(/^c\S+ 0:0 1,3 1970-01-01T00:00:00Z - - \/null$/),
      `estargz: 7 entries, 4 chunks, ${built.tocDigest}`,
      '',
    ]);
  });

  it('reads a table of contents no larger than it may be', async () => {
    const { cli } = await cliWithTar();
    await cli.ok('estargz', 'build', '@in.tar', '@out.esgz');
    const size = (await cli.ok('estargz', 'toc', '@out.esgz')).bytes.length;
    for (const action of ['verify', 'toc']) {
      expect(await cli.run(['estargz', action, '@out.esgz', '--toc-limit', String(size - 1)])).toMatchObject({ status: 4, stderr: expect.stringContaining('raise the limit') as string });
      await cli.ok('estargz', action, '@out.esgz', '--toc-limit', String(size));
    }
  });

  it('puts files first, and tells which are not there', async () => {
    const { cli } = await cliWithTar();
    writeFileSync(cli.path('first.txt'), 'link\n/none\n');
    const build = ['estargz', 'build', '@in.tar', '@out.esgz', '--prioritize', '@first.txt'];
    expect(await cli.run(build)).toMatchObject({ status: 3, stderr: expect.stringContaining('/none') as string });
    expect(readdirSync(cli.dir)).not.toContain('out.esgz');
    expect(await cli.run([...build, '--allow-missing-prioritized'])).toMatchObject({ status: 0, stderr: 'the tar has no /none\n' });
    const toc = (await cli.json('estargz', 'toc', '@out.esgz')) as { readonly toc: { readonly entries: readonly { readonly name: string }[] } };
    expect(toc.toc.entries.map(({ name }) => name).slice(0, 3)).toEqual(['second', 'link', '.prefetch.landmark']);
  });

  it('builds zstd:chunked, which every other action reads too', async () => {
    const { cli, tar } = await cliWithTar();
    const built = (await cli.json('estargz', 'build', '@in.tar', '@out.zst', '--zstd-chunked', '--level', '19')) as Built;
    expect(built).toMatchObject({ format: 'zstd-chunked', diffID: digestOf(tar), mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' });
    expect(await cli.json('estargz', 'verify', '@out.zst', '--toc-digest', built.tocDigest, '--diff-id', digestOf(tar))).toMatchObject({ level: 3, format: 'zstd-chunked' });
    expect(Buffer.from((await cli.ok('estargz', 'unpack', '@out.zst', '-')).bytes).equals(tar)).toBe(true);
    expect(await cli.run(['estargz', 'build', '@in.tar', '@x', '--zstd-chunked', '--min-chunk-size', '5'])).toMatchObject({ status: 2 });
  });

  it('says what is wrong with a layer, and with which one', async () => {
    const { cli } = await cliWithTar();
    const built = (await cli.json('estargz', 'build', '@in.tar', '@out.esgz')) as Built;
    const other = `sha256:${'0'.repeat(64)}`;
    for (const [flags, level] of [[['--toc-digest', other], '1'], [['--digest', other], '3'], [['--diff-id', other], '3']] as const) {
      expect(await cli.run(['estargz', 'verify', '@out.esgz', '--level', level, ...flags]), flags.join(' ')).toMatchObject({ status: 4, stderr: expect.stringMatching(/out\.esgz: .*0000/) as string });
    }
    const damaged = readFileSync(cli.path('out.esgz'));
    damaged[200] = (damaged[200] ?? 0) ^ 1;
    writeFileSync(cli.path('damaged.esgz'), damaged);
    expect(await cli.run(['estargz', 'verify', '@damaged.esgz', '--digest', built.digest])).toMatchObject({ status: 4 });
    expect(await cli.run(['estargz', 'verify', '@in.tar'])).toMatchObject({ status: 4, stderr: expect.stringContaining('no footer') as string });
    expect(await cli.run(['estargz', 'verify', '@none'])).toMatchObject({ status: 3 });
  });

  it.each([
    [['frobnicate', '@in.tar']],
    [['build', '@in.tar']],
    [['verify', '@in.tar', 'out']],
    [['verify', '@in.tar', '--lossless']],
    [['unpack', '@in.tar', '-', '--long']],
    [['verify', '@in.tar', '--level', '4']],
    [['verify', '@in.tar', '--toc-limit', 'none']],
    [['unpack', '@in.tar', '-', '--toc-limit', '5']],
    [['verify', '@in.tar', '--toc-digest', 'sha256:12']],
    [['verify', '@in.tar', '--diff-id', 'none']],
    [['verify', '@in.tar', '--level', '2', '--diff-id', `sha256:${'0'.repeat(64)}`]],
    [['build', '@in.tar', '@out', '--level', '10']],
    [['build', '@in.tar', '@out', '--chunk-size', 'many']],
    [['build', '@in.tar', '@out', '--prioritize', '@rootfs']],
    [['build', '@in.tar', '-', '--external-toc', '-']],
    [['build', '@in.tar', '@out', '--zstd-chunked', '--external-toc', '@toc']],
  ])('refuses %j, and writes nothing', async (args) => {
    const { cli } = await cliWithTar();
    const { status, stdout, bytes } = await cli.run(['estargz', ...args]);
    expect({ status, stdout, written: bytes.length }).toEqual({ status: 2, stdout: '', written: 0 });
    expect(readdirSync(cli.dir).toSorted()).toEqual(['in.tar', 'rootfs']);
  });

  it('leaves nothing behind when it is stopped', async () => {
    const { cli } = await cliWithTar();
    await cli.ok('estargz', 'build', '@in.tar', '@layer');
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    for (const args of [['build', '@in.tar', '@out'], ['build', '@in.tar', '@out', '--external-toc', '@toc'], ['unpack', '@layer', '@out'], ['unpack', '-', '@out'], ['verify', '@layer'], ['toc', '@layer']]) {
      expect(await cli.run(['estargz', ...args], { signal: stop.signal, stdin: new Uint8Array(1000) }), args.join(' ')).toMatchObject({ status: 1, stderr: expect.stringContaining('stopped') as string });
    }
    expect(readdirSync(cli.dir).toSorted()).toEqual(['in.tar', 'layer', 'rootfs']);
  });
});

describe('convert --zstd-chunked', () => {
  it('keeps every byte of the unpacked layers, and what the manifest vouches for is read by its TOC', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('convert', 'hello:1', 'hello:z', '--zstd-chunked', '--level', '1');
    const [before, after] = await Promise.all(['hello:1', 'hello:z'].map((image) => cli.json('layers', image, '--quick') as Promise<{ readonly layers: readonly { readonly diffID: string }[] }>));
    expect(after?.layers.map(({ diffID }) => diffID)).toEqual(before?.layers.map(({ diffID }) => diffID));
    expect((await cli.ok('verify', 'hello:z')).status).toBe(0);
    expect(Buffer.from((await cli.ok('cat', 'hello:z', '/hello.sh')).bytes).toString()).toContain('#!');
    expect((await cli.ok('ls', 'hello:z')).stdout).toBe('/hello.sh\n');
    for (const flags of [['--external-toc'], ['--chunk-size', '5'], ['--level', '20']]) {
      expect(await cli.run(['convert', 'hello:1', 'hello:x', '--zstd-chunked', ...flags]), flags.join(' ')).toMatchObject({ status: 2 });
    }
  });
});

describe('toc', () => {
  it('tells of each layer whether it can be read in pieces, and who vouches for that', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('convert', 'hello:1', 'hello:e', '--estargz');
    await cli.ok('convert', 'hello:1', 'hello:z', '--zstd-chunked');
    await cli.ok('convert', 'hello:1', 'hello:d', '--estargz', '--docker', '-q');
    expect(await cli.json('toc', 'hello:1')).toMatchObject({ layers: [{ number: 1, mediaType: expect.stringContaining('gzip') as string }] });
    expect((await cli.ok('toc', 'hello:1')).stdout).toMatch(/^1:\w+ +[\d.]+ \w+ +-\n$/);
    expect((await cli.ok('toc', 'hello:e')).stdout).toMatch(/^1:\w+ +[\d.]+ \w+ +estargz +2 entries, 2 chunks +vouched for\n$/);
    expect((await cli.ok('toc', 'hello:z')).stdout).toMatch(/zstd-chunked +1 entry, 1 chunk +vouched for\n$/);
    expect((await cli.ok('toc', 'hello:d')).stdout).toMatch(/estargz +2 entries, 2 chunks +nobody vouches for it\n$/);
    expect(await cli.json('toc', 'hello:e')).toMatchObject({ image: 'hello:e', layers: [{ format: 'estargz', voucher: 'vouched', entries: 2, chunks: 2 }] });
  });

  it('prints the table of contents of one layer, by its number or its digest', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('convert', 'hello:1', 'hello:e', '--estargz');
    const { layers } = (await cli.json('toc', 'hello:e')) as { readonly layers: readonly { readonly digest: string; readonly tocDigest: string }[] };
    const [layer = { digest: '', tocDigest: '' }] = layers;
    for (const word of ['1', layer.digest, layer.digest.slice(7, 19)]) expect(digestOf((await cli.ok('toc', 'hello:e', word)).bytes)).toBe(layer.tocDigest);
    expect((await cli.ok('toc', 'hello:e', '1', '--long')).stdout).toContain('/hello.sh');
    expect(await cli.json('toc', 'hello:e', '1')).toMatchObject({ layer: { number: 1, voucher: 'vouched' }, toc: { version: 1 } });
    expect(await cli.run(['toc', 'hello:e', '2'])).toMatchObject({ status: 3 });
    expect(await cli.run(['toc', 'hello:e', 'abcdef'])).toMatchObject({ status: 3 });
    expect(await cli.run(['toc', 'hello:1', '1'])).toMatchObject({ status: 3, stderr: expect.stringContaining('convert --estargz') as string });
    expect(await cli.run(['toc', 'hello:e', '--long'])).toMatchObject({ status: 2 });
  });
});
