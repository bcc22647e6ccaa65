import type { TarHeader } from './header.ts';
import { invalidTar } from './invalid.ts';
import { parseDecimal, parseTime } from './number.ts';
import type { PaxRecords } from './pax.ts';
import { decodeText } from './text.ts';

/** What an entry is. `other` is a type of some vendor, told by its `typeflag`; it has a body of `size` bytes. */
export type TarType =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo'
  | 'other';

/** One entry of an archive, with everything that its headers and the extensions before them say. */
export interface TarEntry {
  /** The name as text, as written: nothing is made safe or tidied. Not UTF-8 gives U+FFFD; `pathBytes` is exact. */
  readonly path: string;
  readonly pathBytes: Uint8Array;
  readonly type: TarType;
  readonly typeflag: string;
  /**
   * Bytes of the body that follow in the archive, 0 to 2^53-1; 0 for symlinks, directories, devices and fifos, and for
   * hardlinks unless a body does follow (some old archives and `pax -o linkdata` have the linked file's bytes there).
   */
  readonly size: number;
  /** As written; some old archives have the file type above the permission bits (07777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, perhaps negative, perhaps with a fraction; the record `mtime` of `pax` has all its digits. */
  readonly mtime: number;
  readonly linkname: string;
  readonly linknameBytes: Uint8Array;
  readonly uname: string;
  readonly gname: string;
  readonly devmajor: number;
  readonly devminor: number;
  /** The entry's own PAX records. */
  readonly pax: PaxRecords;
  /** The global PAX records in force here; what `pax` has comes before them. */
  readonly globals: PaxRecords;
  /** Set where the body is a sparse file's pieces (or, PAX 1.0, a map and the pieces), not the file's bytes: see `fileBytes`. */
  readonly sparse?: SparseFile;
  /** Position of the first header block. */
  readonly offset: number;
  /** Position of the body. */
  readonly dataOffset: number;
}

export interface SparseFile {
  /** Bytes of the file with its holes, 0 to 2^53-1. */
  readonly realSize: number;
  /** The places of the map in an old GNU header and the blocks after it, 24 bytes each; not in an index. */
  readonly mapBlocks?: Uint8Array;
}

/** What stood in front of a header. */
export interface Extensions {
  readonly pax: PaxRecords;
  readonly globals: PaxRecords;
  readonly longPath: Uint8Array | undefined;
  readonly longLink: Uint8Array | undefined;
}

const types: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

/**
 * A header with its extensions applied, as Go's archive/tar (so docker and containerd) does: GNU long names over
 * PAX records over header fields, and no body for symlinks, directories, devices and fifos whatever their size says
 * (a hardlink keeps its size here; whether a body follows is seen from what follows).
 * INVALID_TAR for a PAX number that is none. Global path, linkpath and size are not applied: they cannot be meant.
 */
export function resolveEntry(
  header: TarHeader,
  extensions: Extensions,
  offset: number,
  dataOffset: number,
  oldSparse: SparseFile | undefined,
): TarEntry {
  const { pax, globals } = extensions;
  // A record of no length takes the global one back (POSIX), so the header's own field stands.
  const own = (keyword: string): Uint8Array | undefined => filled(pax.get(keyword));
  const any = (keyword: string): Uint8Array | undefined =>
    pax.has(keyword) ? own(keyword) : filled(globals.get(keyword));
  const number = <T>(keyword: string, value: Uint8Array | undefined, parse: (text: string) => T | undefined): T | undefined => {
    if (value === undefined) return undefined;
    const parsed = parse(decodeText(value));
    if (parsed !== undefined) return parsed;
    throw invalidTar(`the PAX record ${keyword}=${JSON.stringify(decodeText(value.subarray(0, 40)))} is no such number`, offset);
  };
  const text = (value: Uint8Array | undefined, otherwise: string): string =>
    value === undefined ? otherwise : decodeText(value);

  const sparsePath = own('GNU.sparse.name');
  const longPath = extensions.longPath ?? sparsePath ?? own('path');
  const pathBytes = longPath ?? header.pathBytes;
  const longLink = extensions.longLink ?? own('linkpath');
  const size = number('size', own('size'), parseDecimal) ?? header.size;
  const realSize =
    number('GNU.sparse.realsize', own('GNU.sparse.realsize'), parseDecimal) ??
    number('GNU.sparse.size', own('GNU.sparse.size'), parseDecimal);

  let type = types[header.typeflag] ?? 'other';
  // Before there was a type for them, directories were files with a slash at the end.
  if (header.typeflag === '\0' && pathBytes.at(-1) === 0x2f) type = 'directory';
  const device = type === 'character-device' || type === 'block-device';
  const entry = {
    path: longPath === undefined ? header.path : decodeText(longPath),
    pathBytes,
    type,
    typeflag: header.typeflag,
    size: type === 'file' || type === 'other' || type === 'hardlink' ? size : 0,
    mode: header.mode,
    uid: number('uid', any('uid'), parseDecimal) ?? header.uid,
    gid: number('gid', any('gid'), parseDecimal) ?? header.gid,
    mtime: number('mtime', any('mtime'), parseTime) ?? header.mtime,
    linkname: text(longLink, header.linkname),
    linknameBytes: longLink ?? header.linknameBytes,
    uname: text(any('uname'), header.uname),
    gname: text(any('gname'), header.gname),
    // star's and libarchive's, for numbers of more than 21 bits.
    devmajor: (device ? number('SCHILY.devmajor', own('SCHILY.devmajor'), parseDecimal) : undefined) ?? header.devmajor,
    devminor: (device ? number('SCHILY.devminor', own('SCHILY.devminor'), parseDecimal) : undefined) ?? header.devminor,
    pax,
    globals,
    offset,
    dataOffset,
  };
  const sparse = oldSparse ?? (realSize === undefined || type !== 'file' ? undefined : { realSize });
  return sparse === undefined ? entry : { ...entry, sparse };
}

function filled(value: Uint8Array | undefined): Uint8Array | undefined {
  return value === undefined || value.length === 0 ? undefined : value;
}
