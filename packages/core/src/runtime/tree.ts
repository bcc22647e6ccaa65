/** What a walk finds on disk. The words are those of tar entries, so that it can be packed as it is. */
export interface TreeEntry {
  /** Relative to the root of the walk, `/` between parts and at the end of a directory. Not UTF-8 gives U+FFFD. */
  readonly path: string;
  readonly pathBytes: Uint8Array;
  readonly type: 'file' | 'hardlink' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';
  /** Bytes; 0 for all but a `file`. */
  readonly size: number;
  /** Permission bits, 0 to 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970, rounded down. */
  readonly mtime: number;
  readonly linkname: string;
  readonly linknameBytes: Uint8Array;
  readonly devmajor: number;
  readonly devminor: number;
  /** Extended attributes as PAX records (`SCHILY.xattr.*`); only with `xattrs`, and not of a hardlink. */
  readonly pax?: ReadonlyMap<string, Uint8Array>;
  /** A file's bytes. SIZE_MISMATCH where it is not `size` bytes long any more, CONFLICT where it is another file. */
  readonly data?: AsyncIterable<Uint8Array>;
}

export interface TreeOptions {
  /** Instead of each owner; 0 makes a tree that does not depend on who walks it. */
  readonly uid?: number;
  readonly gid?: number;
  /** Instead of each time, seconds since 1970. */
  readonly mtime?: number;
  /** The latest time that is kept as it is, such as SOURCE_DATE_EPOCH; later ones become this. */
  readonly mtimeLimit?: number;
  /** Bytes that are read of a file at once, rounded down to whole blocks of 512 and up to one; 1 MiB by default. */
  readonly bufferSize?: number;
  /**
   * Whether the next run of a file is read while the last one is worked on; true by default. False for whoever only passes the bytes
   * on: what is in memory is then read at once, and ahead only where a disk has to be waited for.
   */
  readonly readAhead?: boolean;
  /**
   * The extended attributes of what is at `path` on disk, symlinks not followed, by name. Node has no call for them, so they
   * are left out by default. `bytes` is the path where its name is not UTF-8.
   */
  readonly xattrs?: (path: string, bytes: Uint8Array) => Promise<ReadonlyMap<string, Uint8Array>>;
  /** Told of each entry when it is handed out. */
  readonly onEntry?: (entry: TreeEntry) => void;
  /** Told of what an archive cannot hold and the walk leaves out. */
  readonly onSkip?: (skipped: { readonly path: string; readonly why: 'socket' }) => void;
  readonly signal?: AbortSignal;
}

/** What several walks share. */
export interface WalkOptions extends TreeOptions {
  /** Hardlinks are found between walks that are given the same one. */
  readonly links?: Map<string, Uint8Array>;
}

/** PAX records for extended attributes. A keyword cannot have `=` in it, so that is `%3D`, and `%` is `%25`, as GNU tar has them. */
export function xattrRecords(attributes: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  return new Map([...attributes].map(([name, value]) => [`SCHILY.xattr.${name.replaceAll('%', '%25').replaceAll('=', '%3D')}`, value]));
}
