import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packTree, pieceBytes } from '@oci-tar/core';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { indexTar } from '../../packages/core/src/tar/seek.ts';
import { tokens } from '../../packages/core/src/tar/tokens.ts';
import { CountingSource, gather, inRuns, list } from '../tar/streams.ts';
import { describeWith } from './peers/peer.ts';
import type { Needs } from './peers/peer.ts';
import { factsOf, factsOnDisk, makeFull, makePlain, makeSparse, xattrsOf, xattrsOnDisk } from './tar-trees.ts';

interface Tar {
  readonly home: string;
  readonly run: (args: readonly string[], input?: Uint8Array) => Buffer;
}

/** A tar with trees to work on; `tools` beside it make the trees. */
function peer(command: string, tools: readonly string[] = []): Needs<Tar> {
  const env = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' };
  return {
    tools: [command, 'mkfifo', ...tools],
    start: async (home) => {
      makePlain(home);
      makeFull(home);
      return { home, run: (args, input) => execFileSync(command, args, { env, input, cwd: home, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'pipe'] }) };
    },
  };
}

async function expectLossless(archive: Uint8Array): Promise<void> {
  const found = await list(tokens(inRuns(archive, [10_000])));
  expect(Buffer.compare(await gather(found.map((token) => token.bytes)), archive)).toBe(0);
  const index = await indexTar(new CountingSource(archive));
  expect(index.map((entry) => entry.offset)).toEqual((await list(entries(inRuns(archive)))).map((entry) => entry.offset));
}

const wide = (format: string): boolean => !['v7', 'ustar'].includes(format);

/** A value with every kind of byte in it, and one that looks like a PAX record. */
const attributes = { 'user.bytes': '0080ff0a3d00', 'user.record': Buffer.from('12 path=no\n').toString('hex'), 'user.empty': '' };

function withAttributes(home: string): void {
  mkdirSync(join(home, 'attrs'), { recursive: true });
  writeFileSync(join(home, 'attrs/file'), 'x');
  for (const [name, value] of Object.entries(attributes)) execFileSync('setfattr', ['-n', name, '-v', value === '' ? '""' : `0x${value}`, join(home, 'attrs/file')]);
}

const tars: readonly (readonly [name: string, command: string, formats: readonly string[], create: readonly string[], extract: readonly string[], xattrs: readonly string[]])[] = [
  ['GNU tar', 'tar', ['v7', 'oldgnu', 'gnu', 'ustar', 'posix'], ['--sort=name'], ['--numeric-owner', '--xattrs', '--xattrs-include=*'], ['--format=posix', '--xattrs', '--xattrs-include=user.*']],
  ['bsdtar', 'bsdtar', ['v7', 'ustar', 'gnutar', 'pax'], [], ['--numeric-owner', '--xattrs'], ['--format=pax', '--xattrs']],
];

describe.each(tars)('%s', (name, command, formats, create, extract, withXattrs) => {
  describeWith(`${name} and our reader`, peer(command), (lent) => {
    it.each(formats)('what it writes in the %s format has every attribute and byte of the tree', async (format) => {
      const { home, run } = lent().peer;
      for (const top of wide(format) ? ['plain', 'full'] : ['plain']) {
        const archive = run([`--format=${format}`, ...create, '-cf', '-', top]);
        const onDisk = factsOnDisk(home, top);
        // bsdtar knows no other times in this format than its 11 octal digits.
        const clamped = format === 'gnutar' ? [0, 8 ** 11 - 1] : [-Infinity, Infinity];
        expect(await factsOf(archive)).toEqual(new Map([...onDisk].map(([path, fact]) => [path, { ...fact, mtime: Math.min(Math.max(fact.mtime, clamped[0] ?? 0), clamped[1] ?? 0) }])));
        await expectLossless(archive);
      }
    });
  });

  describeWith(`${name} and our pack`, peer(command), (lent) => {
    it.each(['plain', 'full'])('it extracts the %s tree as it was', async (top) => {
      const { peer: tar, directory } = lent();
      const archive = await gather(pieceBytes(packTree(join(tar.home, top))));
      expect(await factsOf(archive)).toEqual(new Map([...factsOnDisk(tar.home, top)].slice(1).map(([path, fact]) => [path.slice(top.length + 1), fact])));
      const out = mkdtempSync(join(directory, 'out-'));
      mkdirSync(join(out, top));
      tar.run([...extract, '-xpf', '-', '-C', join(out, top)], archive);
      const got = new Map([...factsOnDisk(out, top)].slice(1));
      const wanted = new Map([...factsOnDisk(tar.home, top)].slice(1));
      expect(got).toEqual(wanted);
    });
  });

  describeWith(`${name} and extended attributes`, peer(command, ['setfattr', 'getfattr']), (lent) => {
    it('what it writes of them we read, byte for byte', async () => {
      const { home, run } = lent().peer;
      withAttributes(home);
      const archive = run([...withXattrs, '-cf', '-', 'attrs/file']);
      expect(await xattrsOf(archive)).toEqual(new Map([['attrs/file', new Map(Object.entries(attributes))]]));
      await expectLossless(archive);
    });

    it('what we pack of them it puts back on the file', async () => {
      const { peer: tar, directory } = lent();
      withAttributes(tar.home);
      const read = async (path: string): Promise<ReadonlyMap<string, Uint8Array>> =>
        new Map([...xattrsOnDisk(path)].map(([key, value]) => [key, Buffer.from(value, 'hex')]));
      const archive = await gather(pieceBytes(packTree(join(tar.home, 'attrs'), { xattrs: read })));
      const out = mkdtempSync(join(directory, 'attrs-'));
      tar.run([...extract, '-xpf', '-', '-C', out], archive);
      expect(xattrsOnDisk(join(out, 'file'))).toEqual(new Map(Object.entries(attributes)));
    });
  });
});

describeWith('GNU tar and sparse files', peer('tar'), (lent) => {
  it.each([
    ['oldgnu', []],
    ['gnu', []],
    ['posix', ['--sparse-version=0.0']],
    ['posix', ['--sparse-version=0.1']],
    ['posix', ['--sparse-version=1.0']],
  ])('we read the bytes of what it writes in the %s format with %j', async (format, version) => {
    const { home, run } = lent().peer;
    mkdirSync(join(home, 'holes'), { recursive: true });
    makeSparse(join(home, 'holes/file'));
    const archive = run([`--format=${format}`, '--sparse', ...version, '-cf', '-', 'holes']);
    expect(archive.length).toBeLessThan(2 ** 20);
    expect(await factsOf(archive)).toEqual(factsOnDisk(home, 'holes'));
    expect((await list(entries(inRuns(archive)))).at(-1)).toMatchObject({ path: 'holes/file', type: 'file', sparse: { realSize: 8 * 2 ** 20 + 1 } });
    await expectLossless(archive);
  });
});

describeWith('bsdtar and sparse files', peer('bsdtar'), (lent) => {
  it('we read the bytes of what it writes, be it with the map of PAX 1.0 or without', async () => {
    const { home, run } = lent().peer;
    mkdirSync(join(home, 'holes'), { recursive: true });
    makeSparse(join(home, 'holes/file'));
    const archive = run(['--format=pax', '-cf', '-', 'holes']);
    expect(await factsOf(archive)).toEqual(factsOnDisk(home, 'holes'));
    await expectLossless(archive);
  });
});

describeWith('GNU tar and its own kinds of entries', peer('tar'), (lent) => {
  it.each([
    ['a volume label', ['--format=gnu', '--label=volume']],
    ['a dump of directories', ['--format=gnu', '--listed-incremental=snapshot']],
    ['a dump of directories as PAX records', ['--format=posix', '--listed-incremental=snapshot']],
    ['a global header', ['--format=posix', '--pax-option=comment=all,globexthdr.name=global']],
    ['long records', ['--format=gnu', '--blocking-factor=100']],
  ])('%s comes through whole', async (_, args) => {
    const { home, run } = lent().peer;
    rmSync(join(home, 'snapshot'), { force: true });
    const archive = run([...args, '-cf', '-', 'plain']);
    await expectLossless(archive);
    expect((await list(entries(inRuns(archive)))).map((entry) => entry.path)).toEqual(expect.arrayContaining(['plain/', 'plain/dir/file', 'plain/soft']));
  });

  it('an archive joined to another is that archive, the other its trailer', async () => {
    const { run } = lent().peer;
    const archive = Buffer.concat([run(['-cf', '-', 'plain']), run(['-cf', '-', 'full'])]);
    await expectLossless(archive);
    const names = run(['--quoting-style=literal', '-tf', '-'], archive).toString().trimEnd().split('\n');
    expect((await list(entries(inRuns(archive)))).map((entry) => entry.path)).toEqual(names);
  });
});
