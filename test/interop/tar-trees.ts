import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, closeSync, ftruncateSync, linkSync, lstatSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { entries } from '../../packages/core/src/tar/entries.ts';
import { fileBytes, fileSize } from '../../packages/core/src/tar/sparse.ts';
import { xattrs } from '../../packages/core/src/tar/xattr.ts';
import { gather, inRuns } from '../tar/streams.ts';

/** Everything about one name of a tree; hardlinks are told by being equal. */
export interface Fact {
  readonly type: string;
  readonly mode: number;
  readonly owner: string;
  /** Whole seconds. */
  readonly mtime: number;
  readonly link: string;
  readonly device: string;
  readonly size: number;
  readonly digest: string;
}

/** By path, one character a byte. */
export type Facts = ReadonlyMap<string, Fact>;

const root = process.getuid?.() === 0;
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const none = digestOf(new Uint8Array(0));

/** What every format can hold. */
export function makePlain(home: string): void {
  mkdirSync(join(home, 'plain/dir/sub'), { recursive: true });
  writeFileSync(join(home, 'plain/dir/file'), 'contents');
  writeFileSync(join(home, 'plain/empty'), '');
  writeFileSync(join(home, 'plain/block'), 'b'.repeat(1024));
  linkSync(join(home, 'plain/dir/file'), join(home, 'plain/hard'));
  symlinkSync('dir/file', join(home, 'plain/soft'));
  chmodSync(join(home, 'plain/dir/file'), 0o4750);
  chmodSync(join(home, 'plain/empty'), 0);
  chmodSync(join(home, 'plain/dir/sub'), 0o1777);
  for (const path of ['plain/dir/file', 'plain/block']) utimesSync(join(home, path), 1_700_000_000.5, 1_700_000_000.5);
}

/** What only GNU and PAX archives can. */
export function makeFull(home: string): void {
  const deep = join(home, 'full', 'd'.repeat(90), 'e'.repeat(90));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'n'.repeat(200)), 'long');
  linkSync(join(deep, 'n'.repeat(200)), join(home, 'full/hard'));
  symlinkSync('t'.repeat(400), join(home, 'full/soft'));
  writeFileSync(join(home, 'full/ünïcödé \u{1f600}'), 'ü');
  writeFileSync(Buffer.concat([Buffer.from(`${home}/full/not-utf8-`), Buffer.of(0xff, 0xe9)]), 'bytes');
  for (const [name, time] of [['1960', -315_619_200], ['2040', 2_208_988_800], ['2300', 10_413_792_000]] as const) {
    writeFileSync(join(home, 'full', name), name);
    // As a Date: of a negative number Node makes the present.
    utimesSync(join(home, 'full', name), new Date(time * 1000), new Date(time * 1000));
  }
  execFileSync('mkfifo', [join(home, 'full/fifo')]);
  if (!root) return;
  execFileSync('mknod', [join(home, 'full/char'), 'c', '300', '70000']);
  execFileSync('mknod', [join(home, 'full/block'), 'b', '8', '1']);
  writeFileSync(join(home, 'full/big-id'), 'id');
  chownSync(join(home, 'full/big-id'), 1_000_650_000, 3_000_000_000);
}

/** Data between holes, by default in more places than an old GNU header and its first extension have room for; a hole at the end. */
export function makeSparse(path: string, places = 40, bytes = 4096): void {
  const file = openSync(path, 'w');
  for (let i = 0; i < places; i++) writeSync(file, Buffer.alloc(bytes + i, i + 1), 0, bytes + i, i * 131_072 + 65_536);
  ftruncateSync(file, 8 * 2 ** 20 + 1);
  closeSync(file);
}

export function factsOnDisk(home: string, top: string): Facts {
  const facts = new Map<string, Fact>();
  const visit = (place: Buffer, path: string): void => {
    const stats = lstatSync(place);
    const directory = stats.isDirectory();
    const isDevice = stats.isCharacterDevice() || stats.isBlockDevice();
    const bytes = stats.isFile() ? readFileSync(place) : Buffer.alloc(0);
    facts.set(directory ? `${path}/` : path, {
      type: directory ? 'directory' : stats.isFile() ? 'file' : stats.isSymbolicLink() ? 'symlink' : stats.isFIFO() ? 'fifo' : stats.isBlockDevice() ? 'block-device' : 'character-device',
      mode: stats.isSymbolicLink() ? 0o777 : stats.mode & 0o7777,
      owner: `${stats.uid}:${stats.gid}`,
      mtime: Math.floor(stats.mtimeMs / 1000),
      link: stats.isSymbolicLink() ? readlinkSync(place) : '',
      device: isDevice ? `${((stats.rdev >> 8) & 0xfff)}:${(stats.rdev & 0xff) + ((stats.rdev >>> 20) << 8)}` : '',
      size: bytes.length,
      digest: digestOf(bytes),
    });
    if (!directory) return;
    for (const name of readdirSync(place, { encoding: 'buffer' })) visit(Buffer.concat([place, Buffer.from('/'), name]), `${path}/${name.toString('latin1')}`);
  };
  visit(Buffer.from(join(home, top)), top);
  return facts;
}

/** The same of an archive. */
export async function factsOf(archive: Uint8Array): Promise<Facts> {
  const facts = new Map<string, Fact>();
  for await (const entry of entries(inRuns(archive))) {
    const path = Buffer.from(entry.pathBytes).toString('latin1').replace(/^\.\//, '');
    const bytes = entry.type === 'file' ? await gather(fileBytes(entry, entry.data)) : new Uint8Array(0);
    const first = entry.type === 'hardlink' ? facts.get(Buffer.from(entry.linknameBytes).toString('latin1')) : undefined;
    facts.set(path, first ?? {
      type: entry.type,
      mode: entry.mode & 0o7777,
      owner: `${entry.uid}:${entry.gid}`,
      mtime: Math.floor(entry.mtime),
      link: entry.type === 'symlink' ? entry.linkname : '',
      device: entry.type.endsWith('device') ? `${entry.devmajor}:${entry.devminor}` : '',
      size: entry.type === 'file' ? fileSize(entry) : 0,
      digest: entry.type === 'file' ? digestOf(bytes) : none,
    });
  }
  return facts;
}

/** The extended attributes of every entry that has some. */
export async function xattrsOf(archive: Uint8Array): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for await (const entry of entries(inRuns(archive))) {
    const attributes = [...xattrs(entry)].map(([name, value]) => [name, Buffer.from(value).toString('hex')] as const);
    if (attributes.length > 0) found.set(entry.path, new Map(attributes));
  }
  return found;
}

/** The attributes of one file as the system has them, by name, in hex. */
export function xattrsOnDisk(path: string): ReadonlyMap<string, string> {
  const text = execFileSync('getfattr', ['--no-dereference', '--absolute-names', '--dump', '--match=^user', '--encoding=hex', path], { encoding: 'utf8' });
  return new Map([...text.matchAll(/^([^#=\n][^=\n]*)=0x([0-9a-f]*)$/gm)].map(([, name = '', value = '']) => [name, value]));
}
