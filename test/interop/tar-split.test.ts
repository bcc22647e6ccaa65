import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { assemble, codecByName, decompressed, disassembleUpstream, fileSource, namedFilesSink, namedFilesSource } from '@oci-tar/core';
import { beforeEach, expect, it } from 'vitest';
import { endMarker, join as joined, rawEntry, rawPax } from '../tar/raw.ts';
import { gather } from '../tar/streams.ts';
import { goProgram, hasGoPackage } from './peers/go.ts';
import { describeWith } from './peers/peer.ts';
import type { Needs } from './peers/peer.ts';
import { run } from './peers/tool.ts';

const library = 'github.com/vbatts/tar-split';

/** Upstream's own library, by way of a program of ours. */
const upstream: Needs<string> = { tools: ['go', 'tar'], start: async () => (hasGoPackage(library) ? goProgram('tar-split') : '') };

describeWith("upstream's tar-split", upstream, (lent) => {
  beforeEach(({ skip }) => skip(!hasGoPackage(library), `the Go library ${library} is not installed`));

  const xattr = rawPax({ 'SCHILY.xattr.user.x': Uint8Array.of(0, 1, 2, 255), mtime: '1700000000.123456789' });
  const samples: readonly (readonly [string, Uint8Array])[] = [
    ['every kind of header', joined(
      rawEntry({ name: 'pax_global_header', typeflag: 'g' }, rawPax({ comment: 'c' })),
      rawEntry({ name: 'd/', typeflag: '5', mode: 0o755 }),
      rawEntry({ name: 'd/<a>&"\u2028' }, 'imma hurr til I derp'),
      rawEntry({ name: 'd/link', typeflag: '2', linkname: 'a' }),
      rawEntry({ name: 'd/hard', typeflag: '1', linkname: 'd/a' }),
      rawEntry({ name: 'x', typeflag: 'x' }, xattr), rawEntry({ name: 'd/xattr' }, 'x'.repeat(512)),
      rawEntry({ name: '././@LongLink', typeflag: 'L', format: 'gnu' }, `d/${'l'.repeat(150)}/${'m'.repeat(150)}\0`), rawEntry({ name: 'd/l', format: 'gnu' }, 'long name'),
      rawEntry({ name: 'v7', format: 'v7' }, 'v7'),
      rawEntry({ name: Uint8Array.of(0x64, 0x2f, 0xff, 0xfe) }, 'not UTF-8'),
      endMarker,
    )],
    ['no end marker', rawEntry({ name: 'a' }, 'body')],
    ['half an end marker', joined(rawEntry({ name: 'a' }, 'body'), endMarker.subarray(512))],
    ['a trailer of 2.5 MiB', joined(rawEntry({ name: 'a' }, 'body'), endMarker, new Uint8Array(2.5 * 2 ** 20).fill(1))],
    ['nothing but the end', endMarker],
    ['nothing', new Uint8Array(0)],
  ];

  it.each(samples)('reads ours and writes what we read and would write: %s', async (_, archive) => {
    const directory = await mkdtemp(join(lent().directory, 'sample-'));
    await writeFile(join(directory, 'in.tar'), archive);
    await bothWays(lent().peer, directory);
  });

  it.each(['ustar', 'gnu', 'posix', 'v7', 'oldgnu'])('and so for what GNU tar writes in the format %s', async (format) => {
    const directory = await mkdtemp(join(lent().directory, 'tar-'));
    const tree = join(directory, 'tree');
    for (let i = 0; i < 40; i++) {
      await mkdir(join(tree, `d${i % 7}`), { recursive: true });
      await writeFile(join(tree, `d${i % 7}`, `${i}${format === 'v7' || format === 'ustar' || i % 5 > 0 ? '' : 'n'.repeat(150)}`), String(i).repeat(i * 100));
    }
    await run('tar', ['--create', `--format=${format}`, '--file', join(directory, 'in.tar'), '--directory', tree, '.']);
    await bothWays(lent().peer, directory);
  });

  it('puts hardlinks that claim a size together from ours', async () => {
    const directory = await mkdtemp(join(lent().directory, 'hardlink-'));
    const archive = joined(rawEntry({ name: 'a' }, 'body'), rawEntry({ name: 'b', typeflag: '1', linkname: 'a', size: 4 }), endMarker);
    await writeFile(join(directory, 'in.tar'), archive);
    await ours(directory);
    await run(lent().peer, ['asm', join(directory, 'ours.gz'), join(directory, 'ours'), join(directory, 'out.tar')]);
    expect((await readFile(join(directory, 'out.tar'))).equals(archive)).toBe(true);
  });
});

/** Our metadata and payloads of `in.tar`, as `ours.gz` and `ours`. */
async function ours(directory: string): Promise<Uint8Array> {
  const sink = await namedFilesSink(join(directory, 'ours'));
  const lines = await gather(disassembleUpstream((await fileSource(join(directory, 'in.tar'))).read(), sink));
  await sink.close();
  await writeFile(join(directory, 'ours.gz'), await gather(codecByName('gzip').compress((async function* () { yield lines; })())));
  return lines;
}

async function bothWays(program: string, directory: string): Promise<void> {
  const archive = await readFile(join(directory, 'in.tar'));
  const lines = Buffer.from(await ours(directory)).toString();
  await run(program, ['asm', join(directory, 'ours.gz'), join(directory, 'ours'), join(directory, 'out.tar')]);
  expect((await readFile(join(directory, 'out.tar'))).equals(archive)).toBe(true);

  await mkdir(join(directory, 'theirs'));
  await run(program, ['disasm', '-payloads', join(directory, 'theirs'), join(directory, 'in.tar'), join(directory, 'theirs.gz')]);
  const { bytes } = await decompressed((await fileSource(join(directory, 'theirs.gz'))).read());
  expect(Buffer.from(await gather(assemble(bytes, namedFilesSource(join(directory, 'theirs'))))).equals(archive)).toBe(true);

  // v0.11 ends with an empty segment, v0.12 does not.
  const theirs = gunzipSync(await readFile(join(directory, 'theirs.gz'))).toString();
  const empty = /\{"type":2,"payload":"","position":\d+\}\n$/;
  // As one boolean: their difference would fill a screen.
  expect(lines.replace(empty, '') === theirs.replace(empty, '')).toBe(true);
}
