import { bytesSource, collect } from '../bytes/source.ts';
import type { ByteSource, ByteStream } from '../bytes/types.ts';
import { buildSeekable } from '../seekable/build.ts';
import type { BuildOptions, BuildReport } from '../seekable/build.ts';
import type { Decompressor } from '../seekable/format.ts';
import { openSeekable } from '../seekable/open.ts';
import type { SeekableLayer } from '../seekable/open.ts';
import { verifySeekable } from '../seekable/verify-seekable.ts';
import type { VerifiedSeekable, VerifySeekableOptions } from '../seekable/verify-seekable.ts';
import { pack, pieceBytes } from '../tar/pack.ts';
import type { PackEntry } from '../tar/pack.ts';
import { noise, pieces } from './assert.ts';
import type { SeekableHarness } from './seekable-conformance.ts';

const memoryLimit = 256 * 1024 * 1024;

/** A blob that was built, and what was told of it. */
export interface BuiltSeekable {
  readonly tar: Uint8Array;
  readonly blob: Uint8Array;
  readonly report: BuildReport;
}

/** A format under test, and the steps that its cases are made of. */
export class SeekableSession {
  readonly harness: SeekableHarness;

  constructor(harness: SeekableHarness) {
    this.harness = harness;
  }

  async build(entries: readonly PackEntry[], options: Omit<BuildOptions, 'compressor' | 'level'> = {}): Promise<BuiltSeekable> {
    return this.buildFrom(await tarOf(entries), options);
  }

  /** `runs`: lengths of the runs in which the tar comes. */
  async buildFrom(tar: Uint8Array, options: Omit<BuildOptions, 'compressor' | 'level'> = {}, runs?: readonly number[]): Promise<BuiltSeekable> {
    const build = buildSeekable(runs === undefined ? bytesSource(tar) : inRuns(tar, runs), { ...options, compressor: this.harness.compressor });
    const blob = await whole(build.blob);
    return { tar, blob, report: build.report() };
  }

  decompressors({ report }: Pick<BuiltSeekable, 'report'>): readonly Decompressor[] {
    return [this.harness.decompressor(report)];
  }

  /** `blob`: another one than was built, to be read with its TOC all the same. */
  open(built: BuiltSeekable, blob: Uint8Array = built.blob, options: { readonly tocLimit?: number } = {}): Promise<SeekableLayer> {
    return openSeekable(bytesSource(blob), { ...options, decompressors: this.decompressors(built) });
  }

  verify(built: BuiltSeekable, options: VerifySeekableOptions = {}, blob: Uint8Array = built.blob): Promise<VerifiedSeekable> {
    return verifySeekable(bytesSource(blob), { ...options, decompressors: this.decompressors(built) });
  }
}

export function whole(bytes: ByteStream): Promise<Uint8Array> {
  return collect(bytes, memoryLimit, 'what a case works on');
}

export function tarOf(entries: readonly PackEntry[]): Promise<Uint8Array> {
  return whole(pieceBytes(pack(entries)));
}

function inRuns(bytes: Uint8Array, lengths: readonly number[]): ByteSource {
  return {
    size: bytes.length,
    async *read(start = 0, end = bytes.length) {
      yield* pieces(bytes.subarray(start, end), ...lengths);
    },
  };
}

export function file(path: string, data: Uint8Array, more: Partial<PackEntry> = {}): PackEntry {
  return { path, type: 'file', size: data.length, data, ...more };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Half noise, half not; with zeros in between. */
const large = new Uint8Array(300_000);
large.set(noise(150_000, 7));
large.fill(0x41, 200_000);

/** A tree with an entry of every type, and what is hard about each. */
export const sampleTree: readonly PackEntry[] = [
  { path: './', type: 'directory', mode: 0o755, mtime: 1_700_000_000 },
  { path: './bin/', type: 'directory', mode: 0o1777, uid: 5, gid: 6, uname: 'user', gname: 'group' },
  file('./bin/tool', noise(70_000, 1), { mode: 0o4755, uid: 5, gid: 6, uname: 'user', gname: 'group', mtime: 1.5 }),
  file('./empty', new Uint8Array(0), { mode: 0 }),
  file('./one', text('x'), { mtime: -5, pax: new Map([['SCHILY.xattr.user.mime', Uint8Array.of(0, 255, 10)]]) }),
  { path: './link', type: 'hardlink', linkname: './bin/tool' },
  { path: './sym', type: 'symlink', linkname: '../some/where', mode: 0o777 },
  { path: './dev', type: 'character-device', devmajor: 1, devminor: 3 },
  { path: './pipe', type: 'fifo' },
  file('./größe/漢', text('<&>\u2028')),
  file(`./${'long/'.repeat(40)}name`, text('deep')),
  file('./large', large),
  file('./.wh.gone', new Uint8Array(0)),
  file('./block', noise(512, 3), { uid: 2 ** 31 }),
];
