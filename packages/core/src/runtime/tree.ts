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
  /** Told of what an archive cannot hold and the walk leaves out. */
  readonly onSkip?: (skipped: { readonly path: string; readonly why: 'socket' }) => void;
  readonly signal?: AbortSignal;
}
