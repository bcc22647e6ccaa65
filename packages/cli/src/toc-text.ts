import { defaultTocLimit, tocTarTypes } from '@oci-tar/core';
import type { SeekableEntry, SeekableLayer } from '@oci-tar/core';
import { shownPath } from './looking.ts';
import { counted, table } from './style.ts';
import { modeText, timeText } from './tree-text.ts';

/** One row an entry, as `ls -l` writes them, with the number of chunks and where the first one is. */
export function tocText(layer: SeekableLayer): string {
  const rows = [...layer.entries()].filter(({ toc }) => toc !== undefined).map(rowOf);
  return table([['mode', 'owner', 'size', 'time', 'chunks', 'at', 'name'], ...rows]);
}

function rowOf(entry: SeekableEntry): readonly string[] {
  const { type, toc, chunks } = entry;
  const { mode = 0, uid = 0, gid = 0, devMajor = 0, devMinor = 0, linkName = '' } = toc ?? {};
  const size = type === 'char' || type === 'block' ? `${devMajor},${devMinor}` : String(type === 'reg' ? entry.size : 0);
  const [first] = chunks;
  const at = first === undefined ? '-' : `${first.offset}${first.innerOffset === 0 ? '' : `+${first.innerOffset}`}`;
  const link = type === 'symlink' ? ` -> ${shownPath(linkName)}` : type === 'hardlink' ? ` link to /${shownPath(entry.target.path)}` : '';
  const time = timeText((entry.toc?.modtime === undefined ? 0 : Date.parse(entry.toc.modtime)) / 1000);
  return [modeText({ type: tocTarTypes[type], mode: mode & 0o7777 }), `${uid}:${gid}`, size, time, chunks.length === 0 ? '-' : String(chunks.length), at, `/${shownPath(entry.path)}${link}`];
}

/** What a TOC is, in a few words. */
export function tocSummary(layer: SeekableLayer): string {
  const entries = layer.toc.entries.filter(({ type }) => type !== 'chunk').length;
  return `${entries === 1 ? '1 entry' : `${entries} entries`}, ${counted(layer.chunks.length, 'chunk')}`;
}

/** The TOC as it stands in the layer. */
export function tocJson({ blob, parts: { decompressor, tocOffset, tocSize } }: SeekableLayer, limit: number = defaultTocLimit): Promise<Uint8Array> {
  return decompressor.decompressToc(tocOffset === undefined ? undefined : blob.read(tocOffset, tocOffset + tocSize), { limit });
}
