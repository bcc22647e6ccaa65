/** What is written below a directory. The words are those of tar entries, so that what `entries` reads is one. */
export interface WriteEntry {
  /** Relative to the root; `./` and `/` at its start and `/` at its end mean nothing. The root itself is `.`. */
  readonly path: string;
  /** Instead of `path` where the name is not UTF-8. */
  readonly pathBytes?: Uint8Array;
  readonly type: 'file' | 'hardlink' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo' | 'other';
  /** Bytes of the body of a file. */
  readonly size?: number;
  /** The bits above 07777 are not looked at; 0755 by default for a directory, else 0644. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970; written to the microsecond. */
  readonly mtime?: number;
  /** Of a symlink its target, which is not looked at; of a hardlink the path of an entry that came before. */
  readonly linkname?: string;
  readonly linknameBytes?: Uint8Array;
  readonly devmajor?: number;
  readonly devminor?: number;
  /** Extended attributes are the records `SCHILY.xattr.*`. */
  readonly pax?: ReadonlyMap<string, Uint8Array>;
  readonly globals?: ReadonlyMap<string, Uint8Array>;
  /** Set where the body is the pieces of a sparse file, which cannot be written as they are. */
  readonly sparse?: { readonly realSize: number };
  /** The body, exactly `size` bytes. Read before the next entry is asked for, or not at all. */
  readonly data?: AsyncIterable<Uint8Array> | Uint8Array;
}

/** How much is written at most. LIMIT_EXCEEDED names the limit. */
export interface WriteLimits {
  /** Entries; 2,000,000 by default. */
  readonly entries: number;
  /** Bytes of all files together, holes included; 64 GiB by default. */
  readonly size: number;
  /** Bytes of one file; 64 GiB by default. */
  readonly fileSize: number;
}

export const defaultWriteLimits: WriteLimits = { entries: 2_000_000, size: 64 * 2 ** 30, fileSize: 64 * 2 ** 30 };

export interface WriteTreeOptions {
  readonly limits?: Partial<WriteLimits>;
  /** True: everything belongs to the caller, no device is made and no attribute that takes root. By default true unless run by root. */
  readonly rootless?: boolean;
  readonly signal?: AbortSignal;
  /** Told of the bytes of files as they are written. */
  readonly onBytes?: (count: number) => void;
  /** False: directories are told by path and looked at before each use, as it is done where the system has no handles for paths. */
  readonly handles?: boolean;
}

/**
 * What was asked for and is not there: owners that are the caller's instead, modes without some of their bits, times that the file
 * system does not have, devices, fifos, extended attributes, entries of a type that is no file.
 */
export type LeftOutKind = 'owner' | 'mode' | 'time' | 'device' | 'fifo' | 'xattr' | 'type';

export interface LeftOut {
  readonly kind: LeftOutKind;
  /** Entries; of extended attributes the attributes. */
  readonly count: number;
  /** The first of them. */
  readonly paths: readonly string[];
}

export interface WriteReport {
  readonly entries: number;
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly hardlinks: number;
  /** Devices and fifos. */
  readonly specials: number;
  /** Of all files together, holes included. */
  readonly bytes: number;
  /** Only kinds that something was left out of. */
  readonly leftOut: readonly LeftOut[];
  /** Whether another process could not have led a write astray (see `WriteTreeOptions.handles`). */
  readonly guardedBy: 'handles' | 'checks';
}
