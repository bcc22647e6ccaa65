import { mkdirSync, writeFileSync } from 'node:fs';
import { openDirectory } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { addMulti } from '../support/multi.ts';
import { addLayered, directory, file, hardlink, opaque, symlink, whiteout } from '../support/layers.ts';
import type { LayeredSpec } from '../support/layers.ts';
import { Cli } from './support.ts';

const name = 'docker.io/library/app:1';

/** A base, and a layer that adds, replaces, empties and takes away. */
const layers: LayeredSpec['layers'] = [
  [
    directory('etc'),
    file('etc/passwd', 'root\n', { mode: 0o644, mtime: 1_700_000_000 }),
    file('etc/shadow', 'secret\n', { mode: 0o640, uid: 0, gid: 42 }),
    directory('tmp', { mode: 0o1777 }),
    file('usr/bin/tool', 'tool\n', { mode: 0o4755 }),
    hardlink('usr/bin/other', 'usr/bin/tool'),
    symlink('bin', 'usr/bin'),
    { path: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 },
    file('old/a'),
    file('old/b'),
  ],
  [whiteout('etc/shadow'), file('etc/passwd', 'root\nme\n', { mtime: -1, uid: 1_000_650_000 }), opaque('old'), file('old/c'), symlink('loop', 'loop')],
];

const history = [{ created: '2020-01-01T00:00:00Z', created_by: 'ADD base' }, { created_by: 'ENV a=b', empty_layer: true }, { created: '2021-01-01T00:00:00Z', created_by: 'RUN change', comment: 'buildkit' }];

async function cliWith(...specs: readonly LayeredSpec[]): Promise<Cli> {
  const cli = new Cli();
  const store = await openDirectory(cli.path('store'), { mayBeNew: true });
  for (const spec of specs) await addLayered(store, spec);
  await store.close();
  return cli;
}

const app: LayeredSpec = { name, layers, config: { history } };

describe('ls', () => {
  it('lists a directory, or all of them, as a container sees them', async () => {
    const cli = await cliWith(app);
    expect((await cli.ok('ls', 'app:1')).stdout).toBe('/bin\n/dev\n/etc\n/loop\n/old\n/tmp\n/usr\n');
    expect((await cli.ok('ls', 'app:1', 'old/')).stdout).toBe('/old/c\n');
    expect((await cli.ok('ls', 'app:1', '/bin')).stdout).toBe('/usr/bin/other\n/usr/bin/tool\n');
    expect((await cli.ok('ls', 'app:1', '/bin/../../etc/./passwd')).stdout).toBe('/etc/passwd\n');
    expect((await cli.ok('ls', 'app:1', 'loop')).stdout).toBe('/loop\n');
    expect((await cli.ok('ls', 'app:1', '/tmp')).stdout).toBe('');
    expect((await cli.ok('ls', '-R', 'app:1', 'usr')).stdout).toBe('/usr/bin\n/usr/bin/other\n/usr/bin/tool\n');
    expect((await cli.ok('ls', '-R', 'app:1')).stdout).toBe('/bin\n/dev\n/dev/null\n/etc\n/etc/passwd\n/loop\n/old\n/old/c\n/tmp\n/usr\n/usr/bin\n/usr/bin/other\n/usr/bin/tool\n');
    expect((await cli.ok('ls', '-q', 'app:1', 'etc')).stdout).toBe('/etc/passwd\n');
  });

  it('says with -l all that is known of each, and which layer has it', async () => {
    const cli = await cliWith(app);
    const { stdout } = await cli.ok('ls', '-lR', 'app:1');
    const rows = stdout.split('\n').slice(0, -1).map((row) => row.replace(/:[0-9a-f]{12}\b/, '').replace(/ +/g, ' '));
    expect(rows).toEqual([
      'lrwxrwxrwx 0:0 0 1970-01-01T00:00:00Z 1 /bin -> usr/bin',
      'drwxr-xr-x 0:0 0 1970-01-01T00:00:00Z - /dev',
      'crw-rw-rw- 0:0 1,3 1970-01-01T00:00:00Z 1 /dev/null',
      'drwxr-xr-x 0:0 0 1970-01-01T00:00:00Z 1 /etc',
      '-rw-r--r-- 1000650000:0 8 1969-12-31T23:59:59Z 2 /etc/passwd',
      'lrwxrwxrwx 0:0 0 1970-01-01T00:00:00Z 2 /loop -> loop',
      'drwxr-xr-x 0:0 0 1970-01-01T00:00:00Z - /old',
      '-rw-r--r-- 0:0 5 1970-01-01T00:00:00Z 2 /old/c',
      'drwxrwxrwt 0:0 0 1970-01-01T00:00:00Z 1 /tmp',
      'drwxr-xr-x 0:0 0 1970-01-01T00:00:00Z - /usr',
      'drwxr-xr-x 0:0 0 1970-01-01T00:00:00Z - /usr/bin',
      'hrw-r--r-- 0:0 5 1970-01-01T00:00:00Z 1 /usr/bin/other link to /usr/bin/tool',
      '-rwsr-xr-x 0:0 5 1970-01-01T00:00:00Z 1 /usr/bin/tool',
    ]);
    const [first = ''] = stdout.split('\n');
    expect(stdout.split('\n').slice(0, -1).map((row) => row.indexOf('/')).sort((a, b) => a - b)[0]).toBe(first.indexOf('/'));
    expect((await cli.ok('ls', '-lR', 'app:1')).stdout).toBe(stdout);
  });

  it('says the same as JSON', async () => {
    const cli = await cliWith(app);
    const listed = (await cli.json('ls', 'app:1', 'etc')) as { readonly files: readonly object[] };
    expect(listed).toMatchObject({ image: 'app:1', platform: 'linux/amd64', path: '/etc' });
    expect(listed.files).toEqual([
      {
        path: '/etc/passwd',
        type: 'file',
        size: 8,
        mode: 0o644,
        uid: 1_000_650_000,
        gid: 0,
        mtime: -1,
        layer: { number: 2, digest: expect.stringMatching(/^sha256:/) as string, diffID: expect.stringMatching(/^sha256:/) as string },
      },
    ]);
    expect(await cli.json('ls', 'app:1', 'usr/bin/other')).toMatchObject({ files: [{ type: 'hardlink', target: '/usr/bin/tool', size: 5 }] });
  });

  it('shows names that would steer a terminal, or forge a line, as what they are', async () => {
    const bad = ['a\u001b[31m', 'b\nc', 'd\r', 'e\u202egnp.exe', 'f\u0085'];
    const cli = await cliWith({ name, layers: [[...bad.map((path) => file(path)), { ...file('g'), pathBytes: Buffer.from([0x67, 0xff]) }, symlink('h', '\u001b]0;x\u0007')]] });
    const { stdout } = await cli.ok('ls', '-l', 'app:1');
    expect(stdout.split('\n').slice(0, -1).map((row) => row.slice(row.indexOf('/')))).toEqual(['/a\\x1b[31m', '/b\\x0ac', '/d\\x0d', '/e\\u202egnp.exe', '/f\\x85', '/g\ufffd', '/h -> \\x1b]0;x\\x07']);
    expect(await cli.json('ls', 'app:1')).toMatchObject({ files: [...bad.map((path) => ({ path: `/${path}` })), { pathBase64: Buffer.from([0x67, 0xff]).toString('base64') }, {}] });
    const { stderr } = await cli.run(['cat', 'app:1', 'x\u001b[31m']);
    expect(stderr).not.toContain('\u001b');
  });

  it('says what is near a path that is not there', async () => {
    const cli = await cliWith(app);
    expect(await cli.run(['ls', 'app:1', 'etc/paswd'])).toMatchObject({ status: 3, stderr: expect.stringContaining('Did you mean /etc/passwd?') as string });
    expect(await cli.run(['ls', 'app:1', 'etc/shadow'])).toMatchObject({ status: 3 });
    expect(await cli.run(['ls', 'app:1', 'loop/x'])).toMatchObject({ status: 4, stderr: expect.stringContaining('40 symlinks') as string });
  });
});

describe('cat', () => {
  it('prints the bytes of a file, whichever way it is found', async () => {
    const cli = await cliWith(app);
    const cat = async (path: string) => Buffer.from((await cli.ok('cat', 'app:1', path)).bytes).toString();
    expect(await cat('/etc/passwd')).toBe('root\nme\n');
    expect(await cat('bin/tool')).toBe('tool\n');
    expect(await cat('bin/other')).toBe('tool\n');
    expect(await cat('../bin/../../etc/passwd')).toBe(await cat('/etc/passwd'));
    expect(Buffer.from((await cli.ok('cat', 'app:1', 'old/c', '--no-verify')).bytes).toString()).toBe('old/c');
    expect(await cli.json('cat', 'app:1', 'bin/other')).toMatchObject({ path: '/usr/bin/other', size: 5, layer: { number: 1 } });
  });

  it('says why it prints nothing', async () => {
    const cli = await cliWith(app);
    const cases: readonly (readonly [path: string, status: number, says: RegExp])[] = [
      ['etc', 2, /"\/etc" is a directory/],
      ['/', 2, /"\/" is a directory/],
      ['', 2, /is a directory/],
      ['usr', 2, /"\/usr" is a directory/],
      ['dev/null', 2, /is no file but a character-device/],
      ['etc/shadow', 3, /there is no "\/etc\/shadow"/],
      ['old/a', 3, /there is no "\/old\/a"[^]*Did you mean \/old\/c\?/],
      ['etc/passwd/x', 3, /"\/etc\/passwd" is no directory/],
      ['loop', 4, /more than 40 symlinks/],
    ];
    for (const [path, status, says] of cases) {
      const outcome = await cli.run(['cat', 'app:1', path]);
      expect({ status: outcome.status, stderr: outcome.stderr, length: outcome.bytes.length }, path).toEqual({ status, stderr: expect.stringMatching(says) as string, length: 0 });
    }
    expect(await cli.run(['cat', 'none:1', 'x'])).toMatchObject({ status: 3 });
    expect(await cli.run(['cat', 'app:1'])).toMatchObject({ status: 2 });
    expect(JSON.parse((await cli.run(['cat', 'app:1', 'etc', '--json'])).stderr)).toMatchObject({ error: { code: 'INVALID_ARGUMENT', subject: 'etc' } });
  });

  it('believes no damaged layer, unless it is told to', async () => {
    const cli = await cliWith({ name, compress: 'none', layers: [[file('a', 'aaaa'), file('b', 'bbbb')]] });
    const { layers: described } = (await cli.json('layers', 'app:1', '--quick')) as { readonly layers: readonly { readonly digest: string }[] };
    const path = cli.path(`store/blobs/sha256/${described[0]?.digest.slice(7)}`);
    const { readFileSync } = await import('node:fs');
    const bytes = readFileSync(path);
    bytes.write('AAAA', bytes.indexOf('aaaa'));
    writeFileSync(path, bytes);
    for (const words of [['cat', 'app:1', 'b'], ['ls', 'app:1'], ['layers', 'app:1']]) {
      expect(await cli.run(words), words.join(' ')).toMatchObject({ status: 4, bytes: { length: 0 }, stdout: '', stderr: expect.stringContaining('damaged') as string });
    }
    expect(Buffer.from((await cli.ok('cat', 'app:1', 'a', '--no-verify')).bytes).toString()).toBe('AAAA');
  });
});

describe('every place', () => {
  it('can be looked into', async () => {
    const cli = await cliWith(app, { ...app, name: 'docker.io/library/app:2', layers: layers.slice(0, 1), config: {} });
    await cli.ok('copy', 'app:1', 'oci:@layout:v1');
    await cli.ok('copy', 'app:1', 'oci-archive:@oci.tar:v1');
    await cli.ok('copy', 'app:1', 'docker-archive:@docker.tar:app:1');
    await cli.ok('export', 'app:1', '@whole.tar.gz');
    const listed = (await cli.ok('ls', '-R', 'app:1')).stdout;
    for (const place of ['store:app:1', 'oci:@layout:v1', 'oci:@layout', 'oci-archive:@oci.tar:v1', 'docker-archive:@docker.tar:app:1', 'docker-archive:@docker.tar', '@whole.tar.gz']) {
      expect((await cli.ok('ls', '-R', place)).stdout, place).toBe(listed);
      expect(Buffer.from((await cli.ok('cat', place, 'bin/tool')).bytes).toString(), place).toBe('tool\n');
      expect((await cli.ok('diff', 'app:1', place)).stdout, place).toBe('no file differs (2 layers in both)\n');
      expect(await cli.json('layers', place, '--quick'), place).toMatchObject({ layers: [{ number: 1 }, { number: 2, history: { created_by: 'RUN change' } }] });
      expect((await cli.ok('diff', place, 'app:2', '-q')).stdout, place).toBe('/etc/passwd\n/etc/shadow\n/loop\n/old/a\n/old/b\n/old/c\n');
    }
    await cli.ok('rm', 'app:1');
    expect(await cli.run(['ls', 'oci:@nowhere'])).toMatchObject({ status: 3 });
    expect(await cli.run(['ls', '-'])).toMatchObject({ status: 2, stderr: expect.stringContaining('only be imported') as string });
    mkdirSync(cli.path('empty'));
    expect(await cli.run(['ls', 'oci:@empty'])).toMatchObject({ status: 4 });
  });

  it('with several platforms is asked for one, and gives that of this machine otherwise', async () => {
    const cli = new Cli();
    const store = await openDirectory(cli.path('store'), { mayBeNew: true });
    await addMulti(store, name, ['linux/amd64', 'linux/arm64', 'linux/s390x'], { attestations: true });
    await addMulti(store, 'docker.io/library/odd:1', ['windows/amd64', 'linux/mips64le']);
    await store.close();
    expect(Buffer.from((await cli.ok('cat', 'app:1', 'platform', '--platform', 'linux/s390x')).bytes).toString()).toBe('linux/s390x/');
    const found = await cli.run(['cat', 'app:1', 'platform']);
    if (process.arch === 'x64' || process.arch === 'arm64') {
      expect(found).toMatchObject({ status: 0, stderr: expect.stringContaining('is for several platforms; this is linux/') as string });
    }
    expect(await cli.run(['ls', 'app:1', '--platform', 'linux/riscv64'])).toMatchObject({ status: 3, stderr: expect.stringContaining('It has linux/amd64') as string });
    expect(await cli.run(['ls', 'odd:1'])).toMatchObject({ status: 6, stderr: expect.stringContaining('windows/amd64') as string });
    expect((await cli.ok('diff', 'app:1', 'app:1', '--platform', 'linux/arm64')).stdout).toContain('no file differs');
    await cli.create('one:1');
    expect(await cli.run(['ls', 'one:1', '--platform', 'linux/arm64'])).toMatchObject({ status: 3, stderr: expect.stringContaining('is for linux/amd64, not for linux/arm64') as string });
  });
});

describe('diff', () => {
  it('says what was added, removed and changed, with sizes', async () => {
    const before = [file('same'), file('bytes', 'aaa'), file('size', 'a'), file('mode'), file('owner'), file('gone', 'x'), symlink('link', 'a'), file('kind'), file('time')];
    const after = [file('same', 'same', { mtime: 5 }), file('bytes', 'bbb'), file('size', 'aa'), file('mode', 'mode', { mode: 0o4755 }), file('owner', 'owner', { uid: 7 }), file('new', 'nnnn'), symlink('link', 'b'), symlink('kind', 'time'), file('time')];
    const cli = await cliWith({ name: 'docker.io/library/a:1', layers: [before] }, { name: 'docker.io/library/b:1', layers: [after] });
    const { stdout, status } = await cli.run(['diff', 'a:1', 'b:1']);
    expect(status).toBe(0);
    expect(stdout.split('\n').map((row) => row.replace(/ +/g, ' '))).toEqual([
      '~ /bytes content, 3 B',
      '- /gone 1 B',
      '~ /kind file -> symlink',
      '~ /link target a -> b',
      '~ /mode -rw-r--r-- -> -rwsr-xr-x',
      '+ /new 4 B',
      '~ /owner 0:0 -> 7:0',
      '~ /size content, 1 B -> 2 B',
      '1 added, 1 removed, 6 changed, +0 B (0 layers in both)',
      '',
    ]);
    expect(await cli.json('diff', 'a:1', 'b:1')).toMatchObject({ sharedLayers: 0, changes: [{ path: '/bytes', kind: 'changed', parts: ['content'], before: { size: 3, layer: 1 } }, { path: '/gone', kind: 'removed' }, {}, {}, {}, {}, {}, {}] });
    expect((await cli.ok('diff', 'a:1', 'b:1', '--mtime')).stdout).toMatch(/^~ \/same +1970-01-01T00:00:00Z -> 1970-01-01T00:00:05Z$/m);
    expect((await cli.run(['diff', 'a:1', 'b:1', '--exit-code'])).status).toBe(1);
    expect((await cli.run(['diff', 'a:1', 'a:1', '--exit-code'])).status).toBe(0);
    expect((await cli.run(['diff', 'a:1'])).status).toBe(2);
    expect((await cli.run(['diff', 'a:1', 'none:1'])).status).toBe(3);
  });
});

describe('layers', () => {
  it('says what each is, how it was made, what it adds and hides', async () => {
    const cli = await cliWith(app);
    const { stdout } = await cli.ok('layers', 'app:1');
    expect(stdout).toMatch(/^app:1 {2}linux\/amd64 {2}2 layers, /);
    expect(stdout).toMatch(/^ {3}step {4}2021-01-01T00:00:00Z {2}RUN change {2}# buildkit$/m);
    expect(stdout).toMatch(/^ {3}adds {4}3 entries, 13 B in files$/m);
    expect(await cli.json('layers', 'app:1')).toMatchObject({
      layers: [
        { number: 1, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', effect: { entries: 10, visible: 6, whiteouts: 0 }, history: history[0] },
        { number: 2, effect: { entries: 3, visible: 3, hides: 4, whiteouts: 2, bytes: 13 }, history: history[2] },
      ],
    });
    const quick = (await cli.json('layers', 'app:1', '--quick')) as { readonly layers: readonly object[] };
    for (const layer of quick.layers) expect(Object.keys(layer)).toEqual(['number', 'digest', 'diffID', 'mediaType', 'compressedSize', 'history']);
    expect((await cli.ok('layers', 'app:1', '-q')).stdout.match(/^sha256:[0-9a-f]{64}$/gm)).toHaveLength(2);
  });
});
