import { ByteReader } from '../../bytes/reader.ts';
import { collect, join } from '../../bytes/source.ts';
import type { ByteSource, ByteStream } from '../../bytes/types.ts';
import { codecByName, detectCodec } from '../../compression/codecs.ts';
import type { Codec } from '../../compression/codec.ts';
import { gzipInOneRun } from '../../compression/gzip.ts';
import { readGzipHeader } from '../../compression/gzip-member.ts';

/** How a layer's bytes are made from its tar. */
export interface LayerCompression {
  readonly codec: Codec['name'];
  readonly level?: number;
  /** gzip: by one run of zlib, as most programs over zlib do it, and not in pieces, as our codec does. */
  readonly oneRun?: boolean;
  /** gzip: the member's header as it was, which may bear a name, a time and a system. */
  readonly header?: Uint8Array;
}

/** What our gzip codec writes first: RFC 1952's fixed header. */
const ownHeader = 10;

/** So much of the tar is compressed to find the level; the whole is compared later. zstd has blocks of 128 KiB, and up to here our gzip is that of one run. */
const levelProbe = 256 * 1024;
const formProbe = 2 * 1024 * 1024;

const gzipLevels = [6, 4, 9, 1, 5, 7, 8, 3, 2];
/** The common ones first; each takes longer than the one before. */
const zstdLevels = [3, 1, 2, ...Array.from({ length: 16 }, (_, i) => i + 4)];

/**
 * The way in which our codecs seem to make this blob, judged by its start: the level is found by trying them all. Undefined where
 * none of them gives the same bytes. Errors are those of decompressing.
 */
export async function probeCompression(blob: ByteSource): Promise<LayerCompression | undefined> {
  const head = await collect(blob.read(0, Math.min(blob.size, 64 * 1024 + 64)), 64 * 1024 + 64, 'the start of a layer');
  const { name } = detectCodec(head);
  if (name === 'none') return { codec: name };
  const header = name === 'gzip' ? head.subarray(0, await gzipHeaderLength(head)) : undefined;
  const levels = name === 'gzip' ? gzipLevels : zstdLevels;
  const found = await firstAlike(blob, levels.map((level) => ({ codec: name, level, ...(header === undefined ? {} : { header }) })), levelProbe);
  if (found === undefined || name !== 'gzip') return found;
  return firstAlike(blob, [found, { ...found, oneRun: true }], formProbe);
}

/** The first of these ways that gives the blob's start, or the whole of a short blob, of as much of its tar. */
async function firstAlike(blob: ByteSource, ways: readonly LayerCompression[], probe: number): Promise<LayerCompression | undefined> {
  const codec = codecByName(ways[0]?.codec ?? 'none');
  const sample = await start(codec.decompress(blob.read()), probe);
  const expected = await start(blob.read(), 2 * probe);
  for (const way of ways) {
    const made = await start(compressedAs(once(sample.bytes), way), 4 * probe);
    // Of a tar that goes on only the first half is compared: how the codec ends a block depends on what follows.
    const compared = sample.isWhole ? made.bytes.length : Math.floor(made.bytes.length / 2);
    if (sample.isWhole && made.bytes.length !== blob.size) continue;
    if (same(made.bytes.subarray(0, compared), expected.bytes.subarray(0, compared))) return way;
  }
  return undefined;
}

/** A tar, compressed in that way. */
export function compressedAs(tar: ByteStream, { codec, level, oneRun, header }: LayerCompression): ByteStream {
  const bytes = oneRun === true && level !== undefined ? gzipInOneRun(tar, level) : codecByName(codec).compress(tar, level === undefined ? {} : { level });
  return header === undefined ? bytes : withHeader(bytes, header);
}

async function* withHeader(member: ByteStream, header: Uint8Array): ByteStream {
  let left = ownHeader;
  let first = true;
  for await (const run of member) {
    const rest = run.subarray(Math.min(left, run.length));
    left -= run.length - rest.length;
    if (rest.length === 0) continue;
    yield first ? join([header, rest]) : rest;
    first = false;
  }
}

async function gzipHeaderLength(head: Uint8Array): Promise<number> {
  const reader = new ByteReader(once(head));
  await readGzipHeader(reader, true);
  return reader.offset;
}

/** The first bytes of a stream, which is given up then. */
async function start(bytes: ByteStream, size: number): Promise<{ readonly bytes: Uint8Array; readonly isWhole: boolean }> {
  const runs: Uint8Array[] = [];
  let held = 0;
  for await (const run of bytes) {
    runs.push(run);
    held += run.length;
    if (held > size) return { bytes: join(runs, held).subarray(0, size), isWhole: false };
  }
  return { bytes: join(runs, held), isWhole: true };
}

async function* once(bytes: Uint8Array): ByteStream {
  yield bytes;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
