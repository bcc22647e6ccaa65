import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, lstatSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { addIndex, linux } from '../support/images.ts';
import { openDirectory } from '@oci-tar/core';
import { Cli } from './support.ts';

describe('export and import', () => {
  it('carry an image from one store to another by way of a file', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    const exported = await cli.ok('export', 'hello:1', '@out.tar');
    expect(exported.stdout).toContain(`hello:1  ${digest}`);
    expect(exported.stderr).toBe('');
    const imported = await cli.ok('import', '@out.tar', '--store', '@second');
    expect(imported.stdout).toContain(`hello:1  ${digest}`);
    expect(await cli.json('images', '--store', '@second')).toMatchObject([{ name: 'docker.io/library/hello:1', digest, platforms: ['linux/amd64'] }]);
  });

  it('say which platforms of a sparse index are not there', async () => {
    const cli = new Cli();
    const store = await openDirectory(cli.path('store'), { mayBeNew: true });
    await addIndex(store, 'docker.io/library/multi:1', [linux, { os: 'linux', architecture: 'arm64' }]);
    await store.close();
    const { stderr } = await cli.ok('export', 'multi:1', '@out.tar', '--platform', 'linux/amd64');
    expect(stderr).toBe('left out, as asked: linux/arm64\n');
    expect((await cli.ok('export', 'multi:1', '@quiet.tar', '--platform', 'linux/amd64', '-q')).stderr).toBe('');
    expect(await cli.json('import', '@out.tar', '--store', '@second')).toMatchObject({ leftOut: [{ platform: 'linux/arm64', why: 'absent' }] });
    const all = await cli.run(['export', 'multi:1', '@all.tar', '--all-platforms', '--store', '@second']);
    expect(all).toMatchObject({ status: 3 });
    expect(existsSync(cli.path('all.tar'))).toBe(false);
    expect((await cli.ok('images', '--store', '@second')).stdout).toMatch(/multi:1 +\w{12} +linux\/amd64 /);
  });

  it('take several platforms, by commas and by repetition', async () => {
    const cli = new Cli();
    const store = await openDirectory(cli.path('store'), { mayBeNew: true });
    await addIndex(store, 'multi:1', ['amd64', 'arm64', 's390x'].map((architecture) => ({ os: 'linux', architecture })));
    await store.close();
    for (const flags of [['--platform', 'linux/amd64,linux/arm64'], ['--platform', 'linux/amd64', '--platform', 'linux/arm64']]) {
      expect(await cli.json('export', 'multi:1', '@out.tar', ...flags)).toMatchObject({ leftOut: [{ platform: 'linux/s390x' }] });
    }
  });

  it('use standard output and standard input for -, with all messages on standard error', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    const exported = await cli.ok('export', 'hello:1', '-');
    expect(exported.stdout).toBe('');
    expect(exported.stderr).toContain('exported 1 image to standard output');
    await cli.ok('export', 'hello:1', '@out.tar');
    expect(Buffer.compare(exported.bytes, readFileSync(cli.path('out.tar')))).toBe(0);
    const imported = await cli.run(['import', '-', 'other:2', '-q', '--store', '@second'], { stdin: exported.bytes });
    expect(imported).toMatchObject({ status: 0, stdout: 'other:2\n', stderr: '' });
    expect(await cli.json('images', '--store', '@second')).toMatchObject([{ name: 'docker.io/library/other:2', digest }]);
  });

  it('compress as the name of the file says, or as a flag says', async () => {
    const cli = new Cli();
    await cli.create();
    const heads = { 'a.tar.gz': '1f8b', 'a.TGZ': '1f8b', 'a.tar.zst': '28b52ffd', 'a.tzst': '28b52ffd', 'a.tar': '626c6f62' };
    for (const [name, head] of Object.entries(heads)) {
      await cli.ok('export', 'hello:1', `@${name}`);
      expect(readFileSync(cli.path(name)).subarray(0, head.length / 2).toString('hex'), name).toBe(head);
      await cli.ok('import', `@${name}`, '--store', `@store-${name}`);
    }
    await cli.ok('export', 'hello:1', '@b.tar', '--compress', 'zstd', '--level', '19');
    expect(readFileSync(cli.path('b.tar')).subarray(0, 4).toString('hex')).toBe('28b52ffd');
    await cli.ok('export', 'hello:1', '@b.tar.gz', '--compress', 'none');
    expect(readFileSync(cli.path('b.tar.gz')).subarray(0, 5).toString()).toBe('blobs');
    expect(await cli.run(['export', 'hello:1', '@c.tar', '--level', '3'])).toMatchObject({ status: 2 });
  });

  it('write the target of a symbolic link, which stays one', async () => {
    const cli = new Cli();
    await cli.create();
    symlinkSync('real.tar', cli.path('link.tar'));
    await cli.ok('export', 'hello:1', '@link.tar');
    expect(lstatSync(cli.path('link.tar')).isSymbolicLink()).toBe(true);
    await cli.ok('verify', '@real.tar');
  });

  it('leave nothing behind where the image is unknown, and name near ones', async () => {
    const cli = new Cli();
    await cli.create();
    const outcome = await cli.run(['export', 'helo:1', '@out.tar']);
    expect(outcome).toMatchObject({ status: 3, stdout: '' });
    expect(outcome.stderr).toContain('Did you mean hello:1?');
    expect(readdirSync(cli.dir).sort()).toEqual(['rootfs', 'store']);
  });

  it('take images out of archives and directories too', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'oci:@layout:v1');
    await cli.ok('export', 'oci:@layout:v1', '@a.tar');
    await cli.ok('export', 'oci:@layout', '@b.tar');
    expect(await cli.json('images', '@a.tar')).toMatchObject([{ name: 'v1' }]);
    expect(readFileSync(cli.path('a.tar')).equals(readFileSync(cli.path('b.tar')))).toBe(true);
    expect(await cli.run(['export', 'hello:1', 'oci:@layout:v1', '@c.tar'])).toMatchObject({ status: 2 });
  });

  it('put two images into one archive, with -o as well', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('tag', 'hello:1', 'other:2');
    await cli.ok('export', 'hello:1', 'other:2', '-o', '@out.tar');
    expect((await cli.ok('images', '@out.tar', '-q')).stdout).toBe('hello:1\nother:2\n');
  });
});

describe('the arguments of export', () => {
  it.each([
    [['@out.tar', 'hello:1'], /the archive comes last here/, /oci-tar export hello:1 .*out\.tar$/m],
    [['-', 'hello:1', 'other:2'], /the archive comes last here/, /oci-tar export hello:1 other:2 -$/m],
    [['hello:1', 'other:2'], /other:2 is an image, so no archive was named/, /oci-tar export hello:1 other:2 out\.tar/],
    [['hello:1'], /no archive was named/, /oci-tar export hello:1 out\.tar/],
    [['@out.tar'], /no image was named/, /oci-tar export IMAGE/],
    [['hello:1', '@out.tar', '-o', '@other.tar'], /two archives to write, .*other\.tar \(--output\) and .*out\.tar/, /oci-tar export hello:1 -o .*other\.tar$/m],
    [[], /an argument is missing/, /Usage: oci-tar export/],
  ])('%j are refused with the right ones shown', async (words, problem, hint) => {
    const cli = new Cli();
    await cli.create();
    const outcome = await cli.run(['export', ...words]);
    expect(outcome).toMatchObject({ status: 2, stdout: '' });
    expect(outcome.stderr).toMatch(problem);
    expect(outcome.stderr).toMatch(hint);
  });

  it('in the order of ctr are found out by an existing file too', async () => {
    const cli = new Cli();
    await cli.create();
    writeFileSync(cli.path('archive'), '');
    expect((await cli.run(['export', '@archive', 'hello'])).stderr).toContain('in ctr it comes first');
  });

  it('that name an image where the archive should be do not make a file', async () => {
    const cli = new Cli();
    await cli.create('hello');
    expect(await cli.run(['export', 'hello', 'hello'])).toMatchObject({ status: 2 });
  });
});

describe('a terminal', () => {
  it('gets no archive and gives none', async () => {
    const cli = new Cli();
    await cli.create();
    const exported = await cli.run(['export', 'hello:1', '-'], { terminal: true });
    expect(exported).toMatchObject({ status: 2 });
    expect(exported.bytes.byteLength).toBe(0);
    expect(exported.stderr).toContain('is a terminal');
    const imported = await cli.run(['import', '-'], { terminal: true });
    expect(imported).toMatchObject({ status: 2 });
    expect(imported.stderr).toContain('Name a file, or pipe an archive in');
  });

  it('gets a bar, unless it is a dumb one', async () => {
    const cli = new Cli();
    await cli.create();
    const exported = (env: Record<string, string>) => cli.run(['export', 'hello:1', '@out.tar'], { terminal: true, env });
    expect((await exported({})).stderr).toContain('\u001b[K');
    expect((await cli.run(['create', 'hello:2', '--layer', '@rootfs'], { terminal: true })).stderr).toContain('creating ');
    expect(await exported({ TERM: 'dumb' })).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('import', () => {
  it('refuses what is damaged, says where, and changes nothing', async () => {
    const cli = new Cli();
    await cli.create();
    const { bytes } = await cli.ok('export', 'hello:1', '-', '-q');
    const flipped = Uint8Array.from(bytes);
    // The last blob is the layer; before the two blocks that end the archive.
    const last = bytes.byteLength - 1024 - 300;
    flipped[last] = (flipped[last] ?? 0) ^ 1;
    const damaged: Record<string, Uint8Array> = { 'cut.tar': bytes.subarray(0, 3000), 'empty.tar': new Uint8Array(), 'text.tar': Buffer.from('hello\n'.repeat(200)), 'cut.tar.gz': gzipSync(bytes).subarray(0, 500) };
    for (const [name, content] of Object.entries(damaged)) {
      writeFileSync(cli.path(name), content);
      for (const outcome of [await cli.run(['import', `@${name}`, '--store', '@second']), await cli.run(['import', '-', '--store', '@second'], { stdin: content })]) {
        expect(outcome, name).toMatchObject({ status: 4, stdout: '' });
      }
    }
    expect((await cli.run(['import', '@cut.tar', '--store', '@second'])).stderr).toMatch(/cut\.tar.*truncated at byte 3000/);
    expect((await cli.run(['import', '-', '--store', '@second'], { stdin: damaged['cut.tar'] ?? bytes })).stderr).toMatch(/^oci-tar: standard input: .*truncated at byte 3000/);
    const noIndex = Buffer.concat([bytes.subarray(1024, 2048), new Uint8Array(1024)]);
    expect((await cli.run(['import', '-', '--store', '@second'], { stdin: noIndex })).stderr).toMatch(/^oci-tar: standard input is not an OCI image archive/);
    expect((await cli.ok('images', '-q', '--store', '@second')).stdout).toBe('');
  });

  it('explains what to do with a directory, a missing file, a name that makes no sense', async () => {
    const cli = new Cli();
    mkdirSync(cli.path('layout'));
    expect((await cli.run(['import', '@layout'])).stderr).toContain('oci-tar copy oci:');
    expect(await cli.run(['import', '@none.tar'])).toMatchObject({ status: 3 });
    expect(await cli.run(['import', '@none.tar', 'Not A Name'])).toMatchObject({ status: 2 });
    expect(await cli.run(['import', '@none.tar', 'a', '--base-name', 'b'])).toMatchObject({ status: 2 });
  });

  it('completes bare tags with a base name, and gives a new one where there is none', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'oci-archive:@v1.tar:v1');
    expect((await cli.ok('import', '@v1.tar', '--base-name', 'example.org/app', '-q')).stdout).toBe('example.org/app:v1\n');
    await cli.ok('copy', 'hello:1', 'oci-archive:@anonymous.tar');
    expect(await cli.run(['import', '@anonymous.tar'])).toMatchObject({ status: 3 });
    expect((await cli.ok('import', '@anonymous.tar', 'fresh', '-q')).stdout).toBe('fresh:latest\n');
  });
});

describe('copy', () => {
  it('spells names in directories and archives as they are given', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'oci:@layout:v1');
    await cli.ok('copy', 'store:hello:1', 'oci:@layout:hello:1');
    await cli.ok('copy', 'hello:1', 'oci:@layout');
    const index: unknown = JSON.parse(readFileSync(cli.path('layout/index.json'), 'utf8'));
    const key = 'org.opencontainers.image.ref.name';
    expect(index).toMatchObject({ manifests: [{ annotations: { [key]: 'v1' } }, { annotations: { [key]: 'hello:1' } }, { mediaType: 'application/vnd.oci.image.manifest.v1+json' }] });
    expect(JSON.stringify(index)).not.toContain('containerd');
  });

  it('gives an archive the names that ctr gives, where the name is a whole one', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'oci-archive:@full.tar:hello:1');
    expect(await cli.json('images', '@full.tar')).toMatchObject([{ name: 'docker.io/library/hello:1' }]);
    await cli.ok('copy', 'hello:1', 'oci-archive:@tag.tar:v1');
    expect(await cli.json('images', '@tag.tar')).toMatchObject([{ name: 'v1' }]);
    await cli.ok('copy', 'hello:1', 'oci-archive:@none.tar');
    expect((await cli.json('images', '@none.tar')) as object[]).not.toHaveProperty('0.name');
  });

  it('takes the name of the source into the local store, if it is a whole one', async () => {
    const cli = new Cli();
    const digest = await cli.create();
    await cli.ok('export', 'hello:1', '@out.tar');
    await cli.ok('copy', '@out.tar', 'store:', '--store', '@second');
    await cli.ok('copy', 'oci-archive:@out.tar:hello:1', 'other', '--store', '@second');
    expect(await cli.json('images', '--store', '@second')).toMatchObject([{ name: 'docker.io/library/hello:1', digest }, { name: 'docker.io/library/other:latest', digest }]);
    await cli.ok('copy', 'hello:1', 'oci:@layout:v1');
    expect((await cli.run(['copy', 'oci:@layout:v1', 'store:'])).stderr).toContain('store:example.org/app:v1');
    await cli.ok('copy', 'hello:1', 'oci:@bare');
    expect(await cli.run(['copy', 'oci:@bare', 'store:'])).toMatchObject({ status: 2 });
  });

  it('asks which image is meant where there are several', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.create('other:2', '--label', 'a=b');
    await cli.ok('export', 'hello:1', 'other:2', '@out.tar');
    const outcome = await cli.run(['copy', '@out.tar', 'store:x']);
    expect(outcome).toMatchObject({ status: 6 });
    expect(outcome.stderr).toContain('hello:1');
    await cli.ok('copy', 'oci-archive:@out.tar:other:2', 'store:x');
  });

  it('compresses archives only', async () => {
    const cli = new Cli();
    await cli.create();
    await cli.ok('copy', 'hello:1', 'oci-archive:@out.tar.zst:v1');
    expect(readFileSync(cli.path('out.tar.zst')).subarray(0, 4).toString('hex')).toBe('28b52ffd');
    expect(await cli.run(['copy', 'hello:1', 'oci:@layout', '--compress', 'gzip'])).toMatchObject({ status: 2 });
    expect(await cli.run(['copy', 'hello:1', 'containers-storage:x'])).toMatchObject({ status: 2 });
    expect(await cli.run(['copy', 'oci:@nowhere', 'store:x'])).toMatchObject({ status: 3 });
  });
});
