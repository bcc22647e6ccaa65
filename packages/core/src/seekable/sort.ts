import { OciTarError } from '../errors.ts';
import type { ByteSource } from '../bytes/types.ts';
import { paddingOf } from '../tar/block.ts';
import { GroupReader } from '../tar/group.ts';
import { decodeExact } from '../tar/text.ts';
import { truncatedEntry } from '../tar/tokens.ts';
import { SourceWindow } from '../tar/window.ts';
import { cleanName } from './clean-name.ts';
import { shown } from './failures.ts';
import { noPrefetchLandmark, prefetchLandmark } from './toc.ts';

/** Where an entry of the input is. */
export interface Place {
  /** Its cleaned name. */
  readonly key: string;
  /** Number among all entries of the input. */
  readonly index: number;
  readonly start: number;
  /** Behind the padding of its body. */
  readonly end: number;
  /** Cleaned target of a hardlink. */
  readonly link: string | undefined;
  /** Global headers before it. */
  readonly globals: number;
}

export interface TarIndex {
  /** In the order of the input; of several with one name only the last. */
  readonly places: ReadonlyMap<string, Place>;
  /** Where global headers are. */
  readonly globals: readonly { readonly start: number; readonly end: number }[];
}

/** They are read again wherever the order of entries changes, so there must not be many. Real archives have one. */
const globalLimit = 256;
const entryLimit = 1_000_000;

/** Finds the entries of a plain tar by jumping over the bodies. Landmarks of an earlier build are left out. INVALID_TAR, LIMIT_EXCEEDED. */
export async function indexForBuild(tar: ByteSource, signal?: AbortSignal): Promise<TarIndex> {
  const opened = await tar.open?.();
  try {
    return await indexOf(tar, new SourceWindow(tar, opened), signal);
  } finally {
    await opened?.close();
  }
}

async function indexOf(tar: ByteSource, window: SourceWindow, signal: AbortSignal | undefined): Promise<TarIndex> {
  const groups = new GroupReader();
  const places = new Map<string, Place>();
  const globals: { start: number; end: number }[] = [];
  let index = 0;
  for (let offset = 0; ; ) {
    signal?.throwIfAborted();
    const read = groups.read(offset, (n) => window.at(offset, n));
    const group = read instanceof Promise ? await read : read;
    if (group === undefined || group.kind === 'end') return { places, globals };
    if (group.kind === 'invalid') throw group.error;
    const start = offset;
    offset += group.length;
    if (group.kind === 'global') {
      globals.push({ start, end: offset });
      if (globals.length > globalLimit) throw tooMany('global headers', globalLimit, start);
      continue;
    }
    const { entry } = group;
    if (index >= entryLimit) throw tooMany('entries', entryLimit, start);
    offset += entry.size + paddingOf(entry.size);
    if (offset > tar.size) throw truncatedEntry(entry, tar.size);
    const key = keyOf(entry.path, entry.pathBytes);
    const link = entry.type === 'hardlink' ? keyOf(entry.linkname, entry.linknameBytes) : undefined;
    index += 1;
    if (key === prefetchLandmark || key === noPrefetchLandmark) continue;
    // Taken out first, so that it moves to the end of the order.
    places.delete(key);
    places.set(key, { key, index, start, end: offset, link, globals: globals.length });
  }
}

export interface Order {
  readonly prioritized: readonly Place[];
  readonly others: readonly Place[];
  /** Prioritized files that are not there, as they were asked for. */
  readonly missing: readonly string[];
}

/**
 * The prioritized files first, in the order in which they are asked for: before each one the directories above it and what a
 * hardlink leads to. Then the rest in the order of the input.
 */
export function orderOf(places: ReadonlyMap<string, Place>, prioritizedFiles: readonly string[]): Order {
  const picked = new Set<Place>();
  const missing: string[] = [];
  for (const file of prioritizedFiles) {
    const key = cleanName(file);
    if (places.has(key)) pick(key);
    else missing.push(file);
  }
  return { prioritized: [...picked], others: [...places.values()].filter((place) => !picked.has(place)), missing };

  function pick(first: string): void {
    // By hand instead of by recursion: chains of hardlinks may be long, and circular.
    const seen = new Set<string>();
    const waiting: { readonly key: string; readonly ready: boolean }[] = [{ key: first, ready: false }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { key, ready } = next;
      const place = places.get(key);
      if (ready) {
        if (place !== undefined) picked.add(place);
        continue;
      }
      if (seen.has(key) || (place !== undefined && picked.has(place))) continue;
      seen.add(key);
      waiting.push({ key, ready: true });
      if (place?.link !== undefined) waiting.push({ key: place.link, ready: false });
      if (key !== '') waiting.push({ key: key.slice(0, Math.max(0, key.lastIndexOf('/'))), ready: false });
    }
  }
}

/** NOT_FOUND that names what is missing. */
export function missingFiles(missing: readonly string[]): OciTarError {
  const [first = ''] = missing;
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  return new OciTarError('NOT_FOUND', `the prioritized file ${shown(first)}${more} is not in the tar`, {
    subject: first,
    hint: 'leave it out, or allow prioritized files to be missing',
  });
}

/** Names that are not UTF-8 stay apart: a character for each byte, after one that no name has. */
function keyOf(text: string, bytes: Uint8Array): string {
  if (!text.includes('\ufffd') || decodeExact(bytes) !== undefined) return cleanName(text);
  return `\0${cleanName(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))}`;
}

function tooMany(what: string, limit: number, offset: number): OciTarError {
  return new OciTarError('LIMIT_EXCEEDED', `the tar archive has more than ${limit} ${what}`, { limit, offset });
}

