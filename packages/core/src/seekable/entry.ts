import { cleanName } from './clean-name.ts';
import type { TocEntry, TocEntryType } from './toc.ts';

/** A piece of a file: where it is and what it must be. */
export interface SeekableChunk {
  readonly entry: SeekableEntry;
  /** Position of its member in the blob. */
  readonly offset: number;
  /** Position of its content in the decompressed member. */
  readonly innerOffset: number;
  /** Position in the file. */
  readonly chunkOffset: number;
  /** Bytes of content, at least 1. */
  readonly chunkSize: number;
  /** Digest of the content; undefined in layers of before eStargz. */
  readonly chunkDigest: string | undefined;
  /** Where the next member with content starts in the blob, or the members end: its bytes are before this. */
  readonly nextOffset: number;
}

/** What `stat` tells of an entry. */
export interface SeekableStat {
  /** The last part of the path; '' for the root. */
  readonly name: string;
  readonly type: Exclude<TocEntryType, 'chunk' | 'hardlink'>;
  /** Bytes of a regular file; else 0. */
  readonly size: number;
  /** Permission bits, 07777. */
  readonly mode: number;
  /** Seconds since 1970; 0 where it is not known. */
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  readonly numLink: number;
}

const noChildren: ReadonlyMap<string, SeekableEntry> = new Map();
const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();
const noChunks: readonly SeekableChunk[] = [];

/** A path of a layer, as its TOC has it. */
export class SeekableEntry {
  /** Cleaned: no slash at either end; '' is the root. */
  readonly path: string;
  readonly type: Exclude<TocEntryType, 'chunk'>;
  /** The TOC's own words; undefined for a directory that is there only because something is in it. */
  readonly toc: TocEntry | undefined;
  /** By the entry itself or by one before it with the same id. */
  readonly userName: string;
  readonly groupName: string;
  /** Where the content of a regular file is; nothing for an empty one. */
  readonly chunks: readonly SeekableChunk[] = noChunks;
  /** For a hardlink the entry that it leads to, over any number of links; else the entry itself. */
  readonly target: SeekableEntry = this;
  /** Names of a file; for a directory 2 and the number of directories in it. */
  readonly numLink: number;
  /** What is in a directory, by its last part, in the order of the TOC; hardlinks as such. */
  readonly children: ReadonlyMap<string, SeekableEntry> = noChildren;

  constructor(path: string, type: Exclude<TocEntryType, 'chunk'>, toc?: TocEntry, userName = '', groupName = '') {
    this.path = path;
    this.type = type;
    this.toc = toc;
    this.userName = userName;
    this.groupName = groupName;
    this.numLink = type === 'dir' ? 2 : 1;
  }

  /** The last part of the path. */
  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1);
  }

  /** Bytes of a regular file, of the one that a hardlink leads to; else 0. */
  get size(): number {
    return this.target.type === 'reg' ? (this.target.toc?.size ?? 0) : 0;
  }

  /** Undefined where the TOC names no time, which stands for 1970 or for not known. */
  get modTime(): Date | undefined {
    const { modtime } = this.target.toc ?? {};
    return modtime === undefined || modtime === '' ? undefined : new Date(modtime);
  }

  /** Of the first chunk: where the next member with content starts; undefined for what has no content. */
  get nextOffset(): number | undefined {
    return this.target.chunks[0]?.nextOffset;
  }

  /** An entry of this directory, links followed. Undefined where there is none or this is no directory. */
  child(name: string): SeekableEntry | undefined {
    return this.children.get(name)?.target;
  }

  /** What a file system would say, links followed. */
  stat(): SeekableStat {
    const { target } = this;
    const toc: Partial<TocEntry> = target.toc ?? { mode: 0o755 };
    return {
      name: this.name,
      type: target.type === 'hardlink' ? 'reg' : target.type,
      size: target.size,
      mode: (toc.mode ?? 0) & 0o7777,
      mtime: (this.modTime?.getTime() ?? 0) / 1000,
      uid: toc.uid ?? 0,
      gid: toc.gid ?? 0,
      userName: target.userName,
      groupName: target.groupName,
      linkName: toc.linkName ?? '',
      devMajor: toc.devMajor ?? 0,
      devMinor: toc.devMinor ?? 0,
      xattrs: toc.xattrs ?? noXattrs,
      numLink: target.numLink,
    };
  }
}

/** The entry of a path below the root, links not followed; undefined where there is none. */
export function findEntry(root: SeekableEntry, path: string): SeekableEntry | undefined {
  const clean = cleanName(path);
  let found: SeekableEntry | undefined = root;
  if (clean === '') return found;
  for (const part of clean.split('/')) found = found?.children.get(part);
  return found;
}
