import { join } from '../../bytes/source.ts';
import type { Digest } from '../../spec/digest.ts';
import { goString } from '../../tar/split/go-json.ts';
import { encodeText } from '../../tar/text.ts';
import { encodeBase64 } from '../base64.ts';
import { compareUtf8 } from '../toc-stringify.ts';
import type { TocEntry } from '../toc.ts';
import type { TarHeaderFields } from './tar-header-fields.ts';

/** So many files are turned into bytes at a time. */
const batch = 1000;

/**
 * The TOC of zstd:chunked version 2 as containers-storage writes it: JSON without spaces, fields of 0 and of nothing left out, a file of one chunk without the chunk's
 * own fields, an empty file without a digest. `headers` are those of the entries that are no chunks, in their order.
 */
export function stringifyZstdToc(entries: readonly TocEntry[], headers: readonly TarHeaderFields[], tarSplitDigest: Digest): Uint8Array {
  const parts = [encodeText('{"version":1,"entries":[')];
  let texts: string[] = [];
  let index = 0;
  for (let at = 0; at < entries.length; index++) {
    let end = at + 1;
    while (entries[end]?.type === 'chunk') end += 1;
    const header = headers[index];
    if (header !== undefined) texts.push(...fileTexts(entries.slice(at, end), header));
    at = end;
    if (texts.length < batch && at < entries.length) continue;
    parts.push(encodeText(`${parts.length > 1 ? ',' : ''}${texts.join(',')}`));
    texts = [];
  }
  parts.push(encodeText(`],"tarSplitDigest":${goString(tarSplitDigest)}}`));
  return join(parts);
}

/** An entry and the chunks after it. */
function fileTexts(entries: readonly TocEntry[], header: TarHeaderFields): string[] {
  const { size } = header;
  return entries.map((entry, at) => {
    const text = new Fields(`"type":${goString(entry.type)},"name":${goString(entry.name)}`);
    if (at === 0) {
      text.header(entry, header);
      if (size > 0) text.string('digest', entry.digest);
    }
    text.number('offset', entry.offset);
    if (at === 0) text.number('endOffset', entries.at(-1)?.endOffset);
    if (entries.length > 1) {
      const chunkOffset = entry.chunkOffset ?? 0;
      text.number('chunkSize', (entries[at + 1]?.chunkOffset ?? size) - chunkOffset);
      text.number('chunkOffset', chunkOffset);
      text.string('chunkDigest', entry.chunkDigest);
      text.string('chunkType', entry.chunkType);
    }
    return `{${text.text}}`;
  });
}

class Fields {
  text: string;

  constructor(start: string) {
    this.text = start;
  }

  header(entry: TocEntry, header: TarHeaderFields): void {
    this.string('linkName', header.linkName);
    this.number('mode', header.mode);
    this.number('size', header.size);
    this.number('uid', header.uid);
    this.number('gid', header.gid);
    this.string('modtime', header.modtime);
    this.string('accesstime', header.accesstime);
    this.string('changetime', header.changetime);
    this.number('devMajor', header.devMajor);
    this.number('devMinor', header.devMinor);
    if (entry.xattrs === undefined || entry.xattrs.size === 0) return;
    const pairs = [...entry.xattrs].sort(([a], [b]) => compareUtf8(a, b)).map(([name, value]) => `${goString(name)}:"${encodeBase64(value)}"`);
    this.text += `,"xattrs":{${pairs.join(',')}}`;
  }

  number(key: string, value: number | undefined): void {
    if (value !== undefined && value !== 0) this.text += `,"${key}":${value}`;
  }

  string(key: string, value: string | undefined): void {
    if (value !== undefined && value !== '') this.text += `,"${key}":${goString(value)}`;
  }
}
