import type { ByteStream } from '../../bytes/types.ts';
import { digestBytes } from '../../bytes/digest.ts';
import { join } from '../../bytes/source.ts';
import { gzip } from '../../compression/gzip.ts';
import { OciTarError } from '../../errors.ts';
import { blockSize, isZero, paddingOf } from '../../tar/block.ts';
import { encodeHeader } from '../../tar/encode.ts';
import { tokens } from '../../tar/tokens.ts';
import type { TarEntry } from '../../tar/entry.ts';
import { invalidToc, shown } from '../failures.ts';
import type { ParsedToc, TocOptions } from '../format.ts';
import { parseToc } from '../toc-parse.ts';
import { tocTarName } from '../toc.ts';

/** What the entry's headers, padding and end marker may have beside the JSON, in bytes. */
const aroundToc = 1024 * 1024;

/** The TOC as a tar of one entry, with an end marker. */
export function tocTar(json: Uint8Array): Uint8Array[] {
  const header = encodeHeader({ path: tocTarName, type: 'file', size: json.length, mode: 0 });
  return [header, json, new Uint8Array(paddingOf(json.length) + 2 * blockSize)];
}

/** The JSON in a gzipped tar whose one entry is the TOC. INVALID_TOC where there is anything else in it but zeros. */
export async function jsonOfGzippedTar(bytes: ByteStream, { limit }: TocOptions): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let entry: TarEntry | undefined;
  for await (const token of tokens(gzip.decompress(bytes, { limit: limit + aroundToc }), { requireEnd: false })) {
    if (token.kind === 'data') parts.push(token.bytes);
    else if (token.kind === 'header' && entry === undefined) entry = checkEntry(token.entry, limit);
    else if (token.kind === 'header') throw invalidToc(`is followed by the tar entry ${shown(token.entry.path)}`);
    else if (token.kind === 'global' || !isZero(token.bytes)) throw invalidToc(`has more than zeros around its tar entry (${token.kind})`);
  }
  if (entry === undefined) throw invalidToc('is not there: the tar that should hold it is empty');
  return join(parts, entry.size);
}

/** The same, parsed, with the digest of the JSON. */
export async function tocOfGzippedTar(bytes: ByteStream, options: TocOptions): Promise<ParsedToc> {
  const json = await jsonOfGzippedTar(bytes, options);
  return { toc: parseToc(json, options), tocDigest: await digestBytes(json) };
}

function checkEntry(entry: TarEntry, limit: number): TarEntry {
  if (entry.path !== tocTarName || entry.type !== 'file' || entry.sparse !== undefined) {
    throw invalidToc(`is not there: the tar that should hold it starts with ${entry.type} ${shown(entry.path)}`);
  }
  if (entry.size > limit) {
    throw new OciTarError('LIMIT_EXCEEDED', `the TOC has ${entry.size} bytes, more than the limit of ${limit}`, { limit, actual: entry.size, hint: 'raise the limit if the layer is to be trusted' });
  }
  return entry;
}
