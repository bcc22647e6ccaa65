import { join } from '../bytes/source.ts';
import { goString } from '../tar/split/go-json.ts';
import { encodeText } from '../tar/text.ts';
import { encodeBase64 } from './base64.ts';
import type { Toc, TocEntry } from './toc.ts';

/** So many entries are turned into bytes at a time. */
const batch = 1000;

/**
 * A TOC as JSON, byte for byte as Go's `json.MarshalIndent(toc, "", "\t")` writes it: an indent of TABs, fields of 0 and of
 * nothing left out, `<`, `>`, `&`, U+2028 and U+2029 escaped, no line end after it. Only the fields that eStargz knows.
 */
export function stringifyToc(toc: Toc): Uint8Array {
  const start = `{\n\t"version": ${toc.version},\n\t"entries": `;
  if (toc.entries.length === 0) return encodeText(`${start}null\n}`);
  const parts = [encodeText(`${start}[`)];
  for (let at = 0; at < toc.entries.length; at += batch) {
    const texts = toc.entries.slice(at, at + batch).map(entryText);
    parts.push(encodeText(`${at === 0 ? '' : ','}${texts.join(',')}`));
  }
  parts.push(encodeText('\n\t]\n}'));
  return join(parts);
}

function entryText(entry: TocEntry): string {
  let text = `\n\t\t{\n\t\t\t"name": ${goString(entry.name)},\n\t\t\t"type": ${goString(entry.type)}`;
  const number = (key: string, value: number | undefined): void => {
    if (value !== undefined && value !== 0) text += `,\n\t\t\t"${key}": ${value}`;
  };
  const string = (key: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') text += `,\n\t\t\t"${key}": ${goString(value)}`;
  };
  number('size', entry.size);
  string('modtime', entry.modtime);
  string('linkName', entry.linkName);
  number('mode', entry.mode);
  number('uid', entry.uid);
  number('gid', entry.gid);
  string('userName', entry.userName);
  string('groupName', entry.groupName);
  number('offset', entry.offset);
  number('innerOffset', entry.innerOffset);
  number('devMajor', entry.devMajor);
  number('devMinor', entry.devMinor);
  if (entry.xattrs !== undefined && entry.xattrs.size > 0) text += `,\n\t\t\t"xattrs": ${xattrsText(entry.xattrs)}`;
  string('digest', entry.digest);
  number('chunkOffset', entry.chunkOffset);
  number('chunkSize', entry.chunkSize);
  string('chunkDigest', entry.chunkDigest);
  return `${text}\n\t\t}`;
}

function xattrsText(xattrs: ReadonlyMap<string, Uint8Array>): string {
  const lines = [...xattrs]
    .sort(([a], [b]) => compareUtf8(a, b))
    .map(([key, value]) => `\n\t\t\t\t${goString(key)}: ${goString(encodeBase64(value))}`);
  return `{${lines.join(',')}\n\t\t\t}`;
}

/** Go sorts by UTF-8, which differs from the order of UTF-16 units where there are surrogates. */
export function compareUtf8(a: string, b: string): number {
  const left = encodeText(a);
  const right = encodeText(b);
  const end = Math.min(left.length, right.length);
  for (let at = 0; at < end; at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
