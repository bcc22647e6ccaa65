import { gunzipSync } from 'node:zlib';
import { bytesSource } from '../../packages/core/src/bytes/source.ts';
import type { ByteSource } from '../../packages/core/src/bytes/types.ts';
import { buildSeekable } from '../../packages/core/src/seekable/build.ts';
import type { BuildOptions, BuildReport } from '../../packages/core/src/seekable/build.ts';
import { estargzFooter } from '../../packages/core/src/seekable/formats/estargz.ts';
import { openSeekable } from '../../packages/core/src/seekable/open.ts';
import type { OpenSeekableOptions, SeekableLayer } from '../../packages/core/src/seekable/open.ts';
import { pack, pieceBytes } from '../../packages/core/src/tar/pack.ts';
import type { PackEntry } from '../../packages/core/src/tar/pack.ts';
import { rawEntry } from '../tar/raw.ts';
import { gather } from '../tar/streams.ts';
import fc from '../support/fast-check.ts';

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** An entry of a tar; a file where it has content. */
export function file(path: string, content: string | Uint8Array, more: Partial<PackEntry> = {}): PackEntry {
  const data = typeof content === 'string' ? text(content) : content;
  return { path, type: 'file', size: data.length, data, ...more };
}

export const directory = (path: string, more: Partial<PackEntry> = {}): PackEntry => ({ path, type: 'directory', ...more });
export const hardlink = (path: string, linkname: string): PackEntry => ({ path, type: 'hardlink', linkname });
export const symlink = (path: string, linkname: string): PackEntry => ({ path, type: 'symlink', linkname });

export function tarOf(...entries: readonly PackEntry[]): Promise<Uint8Array> {
  return gather(pieceBytes(pack(entries)));
}

export interface Built {
  readonly blob: Uint8Array;
  readonly report: BuildReport;
}

export async function built(tar: Uint8Array | ByteSource, options: BuildOptions = {}): Promise<Built> {
  const build = buildSeekable(tar instanceof Uint8Array ? bytesSource(tar) : tar, { level: 1, ...options });
  const blob = await gather(build.blob);
  return { blob, report: build.report() };
}

export function opened(blob: Uint8Array, options?: OpenSeekableOptions): Promise<SeekableLayer> {
  return openSeekable(bytesSource(blob), options);
}

export const contentOf = (layer: SeekableLayer, path: string): Promise<Uint8Array> => gather(layer.openFile(path).read());

/** What the gzip members of a blob decompress to, one by one, the footer's empty one included. */
export function members(blob: Uint8Array): { offset: number; bytes: Buffer }[] {
  const found: { offset: number; bytes: Buffer }[] = [];
  for (let offset = 0; offset < blob.length; ) {
    let end = offset + 18;
    // The only way that needs no knowledge of deflate: the shortest part that is a whole member.
    for (;;) {
      const next = nextMember(blob, end);
      const bytes = whole(blob.subarray(offset, next));
      end = next;
      if (bytes === undefined) continue;
      found.push({ offset, bytes });
      break;
    }
    offset = end;
  }
  return found;
}

function nextMember(blob: Uint8Array, from: number): number {
  for (let at = from; at < blob.length; at++) if (blob[at] === 0x1f && blob[at + 1] === 0x8b && blob[at + 2] === 8) return at;
  return blob.length;
}

function whole(bytes: Uint8Array): Buffer | undefined {
  try {
    return gunzipSync(bytes);
  } catch {
    return undefined;
  }
}

/** A blob whose one member is `payload`, with a TOC that says whatever it is given. */
export async function blobWith(payload: Uint8Array, toc: unknown): Promise<Uint8Array> {
  const json = typeof toc === 'string' ? toc : JSON.stringify(toc);
  return blobWithTocTar(payload, new Uint8Array([...rawEntry({ name: 'stargz.index.json' }, json), ...new Uint8Array(1024)]));
}

export async function blobWithTocTar(payload: Uint8Array, tocTar: Uint8Array): Promise<Uint8Array> {
  const { gzipSync } = await import('node:zlib');
  const start = gzipSync(payload);
  return new Uint8Array(Buffer.concat([start, gzipSync(tocTar), estargzFooter(start.length)]));
}

const part = fc.stringMatching(/^[a-zA-Z0-9_é漢-]{1,12}$/);
const content = fc.oneof(
  fc.uint8Array({ maxLength: 30 }),
  fc.nat(6000).map((length) => new Uint8Array(length).map((_, at) => (at * 7) % 251)),
  fc.tuple(fc.nat(9000), fc.nat(255)).map(([length, value]) => new Uint8Array(length).fill(value)),
);

interface Leaf {
  readonly folder: readonly string[];
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character-device';
  readonly body: Uint8Array;
  readonly mode: number;
  readonly mtime: number;
  readonly uid: number;
  readonly xattr: Uint8Array | undefined;
  readonly prefix: string;
}

/** Entries that make one tree: names once, nothing below a file, hardlinks to files that are there. */
export const trees: fc.Arbitrary<PackEntry[]> = fc
  .array(
    fc.record<Leaf>({
      folder: fc.array(part, { maxLength: 3 }),
      name: part,
      kind: fc.constantFrom('file', 'file', 'file', 'file', 'directory', 'symlink', 'hardlink', 'fifo', 'character-device'),
      body: content,
      mode: fc.nat(0o7777),
      mtime: fc.oneof(fc.constant(0), fc.integer({ min: -1e9, max: 4e9 })),
      uid: fc.constantFrom(0, 1, 1000, 2 ** 31),
      xattr: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
      prefix: fc.constantFrom('', './', '/'),
    }),
    { maxLength: 14 },
  )
  .map(toEntries);

function toEntries(leaves: readonly Leaf[]): PackEntry[] {
  const taken = new Map<string, 'directory' | 'other'>();
  const entries: PackEntry[] = [];
  let target: string | undefined;
  for (const { folder, name, kind, body, prefix, xattr, ...fields } of leaves) {
    const path = [...folder, name].join('/');
    const above = folder.map((_, at) => folder.slice(0, at + 1).join('/'));
    if (taken.has(path) || above.some((parent) => taken.get(parent) === 'other') || (kind === 'hardlink' && target === undefined)) continue;
    for (const parent of above) taken.set(parent, 'directory');
    taken.set(path, kind === 'directory' ? 'directory' : 'other');
    const type = kind;
    const pax = xattr === undefined ? {} : { pax: new Map([['SCHILY.xattr.user.x', xattr]]) };
    const common = { path: prefix + path + (kind === 'directory' ? '/' : ''), type, uname: `u${fields.uid}`, ...fields, ...pax };
    if (kind === 'file') {
      entries.push({ ...common, size: body.length, data: body });
      target ??= path;
    } else if (kind === 'hardlink') entries.push({ ...common, linkname: `./${target}` });
    else if (kind === 'symlink') entries.push({ ...common, linkname: '../anywhere' });
    else entries.push(common);
  }
  return entries;
}
