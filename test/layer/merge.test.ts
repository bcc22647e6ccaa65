import { Readable } from 'node:stream';
import { bytesSource, codecByName, digestBytes, mergeLayers, mergedEntries } from '@oci-tar/core';
import type { LayerInput, MergeOptions, MergedEntry } from '@oci-tar/core';
import { describe, expect, it } from 'vitest';
import { entries } from '../../packages/core/src/tar/entries.ts';
import type { TarEntry } from '../../packages/core/src/tar/entry.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { compressedBy, directory, file, hardlink, opaque, symlink, tarOf, whiteout } from '../support/layers.ts';
import { cut } from '../support/sinks.ts';
import { endMarker, join, rawEntry, rawHeader, rawPax } from '../tar/raw.ts';
import { failure, gather, inRuns } from '../tar/streams.ts';

type Layer = readonly PackEntry[] | Uint8Array;

async function tars(layers: readonly Layer[]): Promise<Uint8Array[]> {
  return Promise.all(layers.map((layer) => (layer instanceof Uint8Array ? layer : tarOf(layer))));
}

interface Found extends TarEntry {
  readonly text: string;
}

async function found(tar: Uint8Array): Promise<Found[]> {
  const list: Found[] = [];
  for await (const { data, ...entry } of entries(inRuns(tar))) list.push({ ...entry, text: Buffer.from(await gather(data)).toString('latin1') });
  return list;
}

/** Merges layers, the topmost first, in two passes. */
async function merged(layers: readonly Layer[], options: MergeOptions = {}): Promise<Uint8Array> {
  return gather(mergeLayers((await tars(layers)).map(bytesSource), options));
}

/** The same in one pass. */
async function streamed(layers: readonly Layer[], options: MergeOptions = {}, sizes?: readonly number[]): Promise<Uint8Array> {
  return gather(mergeLayers((await tars(layers)).map((tar) => cut(tar, sizes)), options));
}

const ways = [
  ['two passes', merged],
  ['one pass', streamed],
] as const;

const ofNode = async (layers: readonly Layer[], options: MergeOptions = {}) => gather(mergeLayers((await tars(layers)).map((tar) => Readable.from([Buffer.from(tar)])), options));

const names = async (tar: Uint8Array): Promise<string[]> => (await found(tar)).map(({ path }) => path);

it('merges streams of Node, which have a `read` of their own', async () => {
  expect(await names(await ofNode([[file('a')], [file('b')]]))).toEqual(await names(await streamed([[file('a')], [file('b')]])));
});

describe.each(ways)('mergeLayers, in %s', (_, merge) => {
  it('gives an empty archive for no layers, empty ones and ones of zeros', async () => {
    for (const layers of [[], [new Uint8Array(0)], [new Uint8Array(100)], [new Uint8Array(512)], [new Uint8Array(700)], [new Uint8Array(10_240), new Uint8Array(0)]]) {
      expect(Buffer.from(await merge(layers)).equals(Buffer.alloc(1024))).toBe(true);
    }
  });

  it('reads gzip and zstd as well as plain tars', async () => {
    const plain = await tarOf([file('a')]);
    for (const name of ['gzip', 'zstd', 'none']) expect(await names(await merge([await compressedBy(codecByName(name), plain)]))).toEqual(['a']);
  });

  it('keeps every attribute, bytes of names and of extended attributes', async () => {
    const name = Uint8Array.of(0x61, 0xff, 0xfe);
    const layer = join(
      rawEntry({ typeflag: 'x' }, rawPax({ 'SCHILY.xattr.user.x': Uint8Array.of(0, 1, 255), mtime: '-12.345678901', uid: '1000650000', atime: '5.5' })),
      rawEntry({ name, mode: 0, gid: 7, uname: 'me', gname: 'us' }, 'body'),
      rawEntry({ name: 'null', typeflag: '3', devmajor: 1, devminor: 3, mode: 0o666 }),
      rawEntry({ name: 'd/', typeflag: '5', mode: 0o1777, mtime: 0o77777777777, uid: 5 }),
      endMarker,
    );
    const list = await found(await merge([layer]));
    const odd = list.find(({ pathBytes }) => Buffer.from(pathBytes).equals(Buffer.from(name)));
    expect(odd).toMatchObject({ mode: 0, uid: 1_000_650_000, gid: 7, uname: 'me', gname: 'us', text: 'body' });
    expect([...(odd?.pax ?? [])].map(([keyword, value]) => [keyword, Buffer.from(value).toString('latin1')])).toEqual(
      expect.arrayContaining([['SCHILY.xattr.user.x', '\0\x01\xff'], ['mtime', '-12.345678901'], ['atime', '5.5']]),
    );
    expect(list.find(({ path }) => path === 'null')).toMatchObject({ type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 });
    expect(list.find(({ path }) => path === 'd/')).toMatchObject({ type: 'directory', mode: 0o1777, mtime: 0o77777777777, uid: 5 });
  });

  it('keeps what a directory has in PAX records, to the last digit', async () => {
    const layer = join(rawEntry({ typeflag: 'x' }, rawPax({ mtime: '1600000000.123456789', 'SCHILY.xattr.user.y': 'z' })), rawEntry({ name: 'd', typeflag: '5' }), endMarker);
    const [first] = await found(await merge([layer]));
    expect(first?.path).toBe('d/');
    expect([...(first?.pax ?? [])].map(([keyword, value]) => `${keyword}=${Buffer.from(value).toString()}`).sort()).toEqual(['SCHILY.xattr.user.y=z', 'mtime=1600000000.123456789']);
  });

  it('bakes global records into the entries that they hold for, and into no other', async () => {
    const top = join(rawEntry({ typeflag: 'g' }, rawPax({ uid: '77', 'SCHILY.xattr.user.g': 'v', comment: 'c' })), rawEntry({ name: 'd/', typeflag: '5' }), rawEntry({ name: 'd/one' }, '1'), endMarker);
    const list = await found(await merge([top, [file('two')]]));
    for (const path of ['d/', 'd/one']) {
      const entry = list.find((one) => one.path === path);
      expect(entry).toMatchObject({ uid: 77 });
      expect(entry?.globals.size).toBe(0);
      expect(Buffer.from(entry?.pax.get('SCHILY.xattr.user.g') ?? []).toString()).toBe('v');
    }
    expect(list.find((one) => one.path === 'two')).toMatchObject({ uid: 0, pax: new Map() });
  });

  it('normalises names, and makes directories of nobody 0755 and 0:0', async () => {
    const list = await found(await merge([[file('./a//b/./c'), { path: '/abs/', type: 'directory', mode: 0o700, uid: 9 }, hardlink('abs/link', './a/b//c')]]));
    expect(list.map(({ path, linkname }) => `${path}${linkname}`).sort()).toEqual(['a/', 'a/b/', 'a/b/c', 'abs/', 'abs/linka/b/c']);
    expect(list.find(({ path }) => path === 'a/')).toMatchObject({ mode: 0o755, uid: 0, gid: 0, mtime: 0 });
    expect(list.find(({ path }) => path === 'abs/')).toMatchObject({ mode: 0o700, uid: 9 });
  });

  it.each(['a/../b', '..', './../x'])('refuses the name %s', async (path) => {
    await expect(merge([[file(path)]])).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it.each(['.wh.', 'd/.wh..', '.wh...'])('refuses the whiteout %s, which would take away what has no name', async (path) => {
    await expect(merge([[file(path, '')]])).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it('hides below only what a layer hides, wherever in it the marker stands', async () => {
    const lower = [directory('d'), file('d/old'), file('gone'), directory('tree'), file('tree/x')];
    for (const upper of [
      [whiteout('gone'), whiteout('tree'), opaque('d'), file('d/new'), file('kept')],
      [file('d/new'), file('kept'), opaque('d'), whiteout('tree'), whiteout('gone')],
    ]) {
      expect((await names(await merge([upper, lower]))).sort()).toEqual(['d/', 'd/new', 'kept']);
    }
    expect((await names(await merge([[whiteout('both'), file('both', 'new')], [file('both', 'old')]]))).sort()).toEqual(['both']);
  });

  it('takes all below away with an opaque root', async () => {
    expect((await names(await merge([[file('.wh..wh..opq', ''), file('new')], [directory('.', { mode: 0o700 }), file('old')]]))).sort()).toEqual(['./', 'new']);
  });

  it('does not bring back what was under a directory that was a file in between', async () => {
    const layers = [[directory('a'), file('a/top')], [file('a')], [directory('a'), file('a/base')]];
    expect((await names(await merge(layers))).sort()).toEqual(['a/', 'a/top']);
    expect((await names(await merge([[file('a/top')], [symlink('a', '/etc')], [file('a/base')]]))).sort()).toEqual(['a/', 'a/top']);
    expect((await names(await merge([[symlink('a', '/etc')], [file('a/base')]]))).sort()).toEqual(['a']);
  });

  it('keeps hardlinks to what is there, moves the file to them where it is not', async () => {
    const linkOf = async (layers: readonly Layer[]) => (await found(await merge(layers))).filter(({ type }) => type !== 'directory').map(({ path, type, linkname, text }) => `${path} ${type} ${linkname}${text}`).sort();
    expect(await linkOf([[hardlink('l', 'f')], [file('f', 'data')]])).toEqual(['f file data', 'l hardlink f']);
    expect(await linkOf([[whiteout('f')], [file('f', 'data'), hardlink('l', 'f'), hardlink('m', 'l')]])).toEqual(['l file data', 'm hardlink l']);
    expect(await linkOf([[file('f', 'new')], [file('f', 'old'), hardlink('l', 'f')]])).toEqual(['f file new', 'l file old']);
    expect(await linkOf([[whiteout('f')], [hardlink('l', 'f')], [hardlink('f', 'g')], [file('g', 'data')]])).toEqual(['g file data', 'l hardlink g']);
    expect(await linkOf([[whiteout('s')], [symlink('s', 'to'), hardlink('l', 's')]])).toEqual(['l symlink to']);
  });

  it('refuses a hardlink to nothing, or leaves it out', async () => {
    for (const layers of [[[hardlink('l', 'none')]], [[hardlink('l', 'f')], [whiteout('f')], [file('f')]], [[hardlink('l', 'd')], [directory('d')]]]) {
      await expect(merge(layers)).rejects.toMatchObject({ code: 'INVALID_TAR', details: { subject: 'l' } });
      expect(await names(await merge(layers, { danglingLinks: 'drop' }))).not.toContain('l');
    }
  });

  it('leaves the book-keeping of AUFS out and takes the files of its links from it', async () => {
    const layer = [directory('.wh..wh.plnk'), file('.wh..wh.plnk/12.34', 'linked'), file('.wh..wh.aufs', ''), hardlink('a', '.wh..wh.plnk/12.34'), hardlink('b', '.wh..wh.plnk/12.34')];
    expect((await found(await merge([layer]))).map(({ path, type, text, linkname }) => [path, type, text, linkname])).toEqual([['a', 'file', 'linked', ''], ['b', 'hardlink', '', 'a']]);
  });

  it('takes a marker with more behind it for a whiteout of what it says', async () => {
    expect(await names(await merge([[file('d/.wh..wh..opqx', '')], [file('d/.wh..opqx'), file('d/kept')]]))).toEqual(expect.arrayContaining(['d/kept']));
  });

  it.each([
    ['a file twice', [file('a', '1'), file('a', '2')]],
    ['a directory twice', [directory('a'), directory('./a')]],
    ['a file that something is in', [file('a'), file('a/b')]],
    ['a file in the place of a directory', [file('a/b'), file('a')]],
  ])('refuses a layer with %s, or takes the last', async (_name, layer) => {
    await expect(merge([layer])).rejects.toMatchObject({ code: 'INVALID_TAR', details: { subject: 'a' } });
    const list = await names(await merge([layer], { duplicates: 'last' }));
    expect(new Set(list).size).toBe(list.length);
    const last = layer.at(-1)?.path ?? '';
    expect(list).toContain(last.replace('./', ''));
  });

  it('takes a sparse file along as it is, under another name too', async () => {
    const map = Buffer.concat([Buffer.from(['00000000000', '00000000005', '00000002000', '00000000003', ''].join('\0'), 'latin1'), Buffer.alloc(96 - 48)]);
    const sparse = (name: string) => rawEntry({ name, typeflag: 'S', format: 'gnu', patch: [[386, map], [483, Buffer.from('00000003000\0')]] }, 'helloend');
    for (const name of ['sparse', './sparse']) {
      const list = await found(await merge([join(sparse(name), endMarker)]));
      expect(list).toMatchObject([{ path: 'sparse', type: 'file', size: 8, sparse: { realSize: 0o3000 }, text: 'helloend' }]);
      const [plain] = await told([join(sparse(name), endMarker)]);
      expect(plain?.text.length).toBe(0o3000);
      expect(plain?.text.replaceAll('\0', '.')).toBe(`hello${'.'.repeat(0o2000 - 5)}end${'.'.repeat(0o3000 - 0o2000 - 3)}`);
    }
  });

  it('gives links no body, whatever size their header claims', async () => {
    const layer = join(rawEntry({ name: 'f' }, 'x'), rawHeader({ name: 'l', typeflag: '1', linkname: 'f', size: 512 }), rawHeader({ name: 's', typeflag: '2', linkname: 'to', size: 9 }), endMarker);
    const tar = await merge([layer]);
    for (const { path, type } of await found(tar)) if (type !== 'file') expect(rawSize(tar, path)).toBe(0);
    expect((await names(tar)).sort()).toEqual(['f', 'l', 's']);
  });

  it('gives the same bytes however the layers are cut', async () => {
    const layers = [[whiteout('f'), file('big', 'b'.repeat(200_000)), hardlink('l', 'g')], [file('f'), hardlink('k', 'f'), file('g', 'g'.repeat(70_000)), directory('d')]];
    const whole = await merge(layers);
    for (const sizes of [[1000], [511, 513], [100_000]]) expect(Buffer.from(await streamed(layers, {}, sizes)).equals(Buffer.from(await streamed(layers)))).toBe(true);
    expect(Buffer.from(await merge(layers)).equals(Buffer.from(whole))).toBe(true);
  });

  it('hands out runs of 64 KiB and more', async () => {
    const layer = Array.from({ length: 300 }, (_unused, i) => file(`f${i}`, 'x'.repeat(i * 10)));
    const sources = merge === merged ? [bytesSource(await tarOf(layer))] : [cut(await tarOf(layer), [512])];
    const lengths: number[] = [];
    for await (const run of mergeLayers(sources)) lengths.push(run.length);
    for (const length of lengths.slice(0, -1)) expect(length).toBeGreaterThanOrEqual(65_536);
    expect(lengths.length).toBeGreaterThan(3);
  });

  it.each([
    ['entries', { entries: 2 }, [file('a'), file('b'), file('c')]],
    ['entries', { entries: 3 }, [file('a/b/c/d')]],
    ['depth', { depth: 4 }, [file('a/b/c/d/e')]],
    ['nameBytes', { nameBytes: 100 }, [file('a'.repeat(60)), file('b'.repeat(60))]],
    ['headerBytes', { headerBytes: 1024 }, [file('a'.repeat(3000))]],
  ])('stops at its limit of %s', async (_name, limits, layer) => {
    await expect(merge([layer], { limits })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

/** What `mergedEntries` tells, with the bodies. */
async function told(layers: readonly Layer[]): Promise<(MergedEntry & { readonly text: string })[]> {
  const list: (MergedEntry & { readonly text: string })[] = [];
  for await (const entry of mergedEntries((await tars(layers)).map(bytesSource))) {
    const { data = new Uint8Array(0) } = entry;
    list.push({ ...entry, text: Buffer.from(data instanceof Uint8Array ? data : await gather(data)).toString('latin1') });
  }
  return list;
}

/** The size field of the header with this name. */
function rawSize(tar: Uint8Array, name: string): number {
  for (let at = 0; at < tar.length; at += 512) {
    const block = Buffer.from(tar.subarray(at, at + 512));
    if (block.subarray(257, 262).toString() === 'ustar' && block.subarray(0, name.length + 1).toString() === `${name}\0`) return Number.parseInt(block.subarray(124, 135).toString(), 8);
  }
  return -1;
}

describe('mergeLayers', () => {
  it('puts directories before what is in them and files before links to them, whatever layer they are of', async () => {
    const layers = [[directory('a', { mode: 0o711 }), hardlink('l', 'z/f')], [file('a/b/c')], [directory('z'), file('z/f')]];
    expect(await names(await merged(layers))).toEqual(['z/', 'z/f', 'a/', 'a/b/', 'a/b/c', 'l']);
  });

  it('hands nothing out before every layer is verified', async () => {
    const good = await tarOf([file('good', 'g'.repeat(200_000))]);
    const bad = await tarOf([file('bad')]);
    const layer = (bytes: Uint8Array, expected: NonNullable<Extract<LayerInput, { expected?: unknown }>['expected']>): LayerInput => ({ read: () => cut(bytes), expected });
    const digest = await digestBytes(good);
    for (const [wrong, code] of [[{ digest }, 'DIGEST_MISMATCH'], [{ diffID: digest }, 'DIGEST_MISMATCH'], [{ size: 5 }, 'SIZE_MISMATCH']] as const) {
      let runs = 0;
      const work = async () => {
        for await (const run of mergeLayers([layer(good, { digest, size: good.length, diffID: digest }), layer(bad, wrong)])) runs += run.length;
      };
      expect(await failure(work())).toMatchObject({ code });
      expect(runs).toBe(0);
    }
  });

  it('notices a layer that changes between the two reads', async () => {
    const long = await tarOf([file('a'), file('b')]);
    const short = await tarOf([file('a')]);
    let reads = 0;
    await expect(gather(mergeLayers([{ read: () => cut(reads++ === 0 ? long : short) }]))).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });

  it('lets no more wait than it may where layers are read once', async () => {
    const layers = [[file('f', 'new')], [file('f', 'x'.repeat(5000))]];
    await expect(streamed(layers, { limits: { spoolBytes: 4000 } })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', details: { limit: 4000 } });
    await expect(streamed(layers, { duplicates: 'last', limits: { spoolBytes: 4000 } })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(await names(await merged(layers, { limits: { spoolBytes: 0 } }))).toEqual(['f']);
  });

  it('spools large files that wait on disk', async () => {
    const data = 'x'.repeat(1_000_000);
    const list = await found(await streamed([[file('f', 'new')], [file('other', 'o'.repeat(300_000)), file('f', data), hardlink('l', 'f')]]));
    expect(list.find(({ path }) => path === 'l')).toMatchObject({ type: 'file', text: data });
  });

  it('gives its input up when it is left', async () => {
    let closed = 0;
    const endless = async function* () {
      try {
        yield await tarOf([file('a', 'a'.repeat(500_000)), file('b', 'b'.repeat(500_000))]);
        for (;;) yield new Uint8Array(65_536);
      } finally {
        closed += 1;
      }
    };
    for await (const run of mergeLayers([endless()])) if (run.length > 0) break;
    expect(closed).toBe(1);
  });

  it('stops when it is told to', async () => {
    const reason = new Error('enough');
    await expect(merged([[file('a')]], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('refuses a root that is no directory and a limit that is no count', async () => {
    await expect(merged([[{ path: './', type: 'symlink', linkname: 'x' }]])).rejects.toMatchObject({ code: 'INVALID_TAR' });
    await expect(merged([], { limits: { entries: -1 } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses what is no tar, and a layer that is cut off', async () => {
    await expect(merged([Buffer.from('no tar at all'.repeat(100))])).rejects.toMatchObject({ code: 'INVALID_TAR' });
    const tar = await tarOf([file('a', 'x'.repeat(3000))]);
    await expect(merged([tar.subarray(0, 2000)])).rejects.toMatchObject({ code: 'INVALID_TAR' });
    expect(await names(await merged([tar.subarray(0, -1024)]))).toEqual(['a']);
  });
});

describe('mergedEntries', () => {
  it('gives the same tree entry by entry, with the layer of each', async () => {
    const list = await told([[file('d/new', 'n'), hardlink('l', 'd/old')], [directory('d', { mode: 0o700 }), file('d/old', 'o')]]);
    expect(list.map(({ path, type, text, layer, linkname = '' }) => [path, type, text, layer, linkname])).toEqual([
      ['d/', 'directory', '', 1, ''],
      ['d/old', 'file', 'o', 1, ''],
      ['d/new', 'file', 'n', 0, ''],
      ['l', 'hardlink', '', 0, 'd/old'],
    ]);
  });

  it('passes over bodies that are not read, and refuses to read them late', async () => {
    const late: AsyncIterable<Uint8Array>[] = [];
    const paths: string[] = [];
    for await (const { path, data } of mergedEntries([bytesSource(await tarOf([file('a', 'x'.repeat(100_000)), file('b')]))])) {
      paths.push(path);
      if (data !== undefined && !(data instanceof Uint8Array)) late.push(data);
    }
    expect(paths).toEqual(['a', 'b']);
    const [first] = late;
    expect(await failure(gather(first ?? []))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});
