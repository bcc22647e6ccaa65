import { gzipSync } from 'node:zlib';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import { zstd } from '../../packages/core/src/compression/zstd.ts';
import { estargzFooter } from '../../packages/core/src/seekable/formats/estargz.ts';
import { encodeZstdFooter, skippableFrame } from '../../packages/core/src/seekable/formats/zstd-chunked-bytes.ts';
import { openFooter } from '../../packages/core/src/seekable/footer.ts';
import { stringifyToc } from '../../packages/core/src/seekable/toc-stringify.ts';
import type { TocEntry } from '../../packages/core/src/seekable/toc.ts';
import { rawEntry } from '../tar/raw.ts';
import { gather, inRuns } from '../tar/streams.ts';
import { compressWithCodec } from './compressed.ts';

/** An eStargz blob of these members, one after the other, with a TOC that says whatever it is given; `offsets` are where the members start. */
export function estargzOf(members: readonly Uint8Array[], toc: (offsets: readonly number[]) => readonly TocEntry[]): Uint8Array {
  return withToc(new Uint8Array(Buffer.concat([...members])), toc(members.map((_, at) => members.slice(0, at).reduce((sum, { length }) => sum + length, 0))));
}

/** The blob with another TOC; everything else stays. */
export async function retold(blob: Uint8Array, entries: readonly TocEntry[]): Promise<Uint8Array> {
  const { payloadSize } = await openFooter(bytesSource(blob));
  return withToc(blob.slice(0, payloadSize), entries);
}

function withToc(payload: Uint8Array, entries: readonly TocEntry[]): Uint8Array {
  const tar = Buffer.concat([rawEntry({ name: 'stargz.index.json' }, stringifyToc({ version: 1, entries })), new Uint8Array(1024)]);
  return new Uint8Array(Buffer.concat([payload, gzipSync(tar), estargzFooter(payload.length)]));
}

export interface ZstdParts {
  /** The TOC's JSON, parsed. */
  toc: Record<string, unknown> & { entries: Record<string, unknown>[] };
  /** The tar-split lines. */
  lines: string;
  /** What the footer says of their length, decompressed. */
  rawSize: number;
  /** Left out of the footer. */
  noPosition: boolean;
}

/** A blob of zstd:chunked version 2 with another TOC or tar-split part, whose digest in the TOC is made right again unless the change has set it. */
export async function retoldZstd(blob: Uint8Array, change: (parts: ZstdParts) => void): Promise<Uint8Array> {
  const { payloadSize, tocOffset = 0, tocSize, tarSplit = { offset: 0, size: 0 } } = await openFooter(bytesSource(blob));
  const read = async (offset: number, size: number): Promise<string> => Buffer.from(await gather(zstd.decompress(inRuns(blob.slice(offset, offset + size))))).toString();
  const before = JSON.parse(await read(tocOffset, tocSize));
  const lines = await read(tarSplit.offset, tarSplit.size);
  const parts: ZstdParts = { toc: { ...before, tarSplitDigest: undefined }, lines, rawSize: -1, noPosition: false };
  change(parts);
  const split = await compressWithCodec('zstd', new TextEncoder().encode(parts.lines));
  const { createHash } = await import('node:crypto');
  parts.toc['tarSplitDigest'] ??= `sha256:${createHash('sha256').update(split).digest('hex')}`;
  const json = new TextEncoder().encode(JSON.stringify(parts.toc));
  const toc = await compressWithCodec('zstd', json);
  const tocPlace = { offset: payloadSize + 8, size: toc.length, rawSize: json.length };
  const splitPlace = { offset: tocPlace.offset + toc.length + 8, size: split.length, rawSize: parts.rawSize < 0 ? Buffer.byteLength(parts.lines) : parts.rawSize };
  const footer = encodeZstdFooter(2, parts.noPosition ? { toc: tocPlace } : { toc: tocPlace, tarSplit: splitPlace });
  return new Uint8Array(Buffer.concat([blob.slice(0, payloadSize), skippableFrame(toc), skippableFrame(split), footer]));
}
