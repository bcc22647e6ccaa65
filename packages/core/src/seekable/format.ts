import type { ByteStream } from '../bytes/types.ts';
import type { MemberDigester } from '../runtime/engines.ts';
import type { Digest } from '../spec/digest.ts';
import type { TarToken } from '../tar/tokens.ts';
import type { Toc } from './toc.ts';

/**
 * A compression of seekable layers: what writes a blob and what reads it. One file a format in `formats/`; one from outside is
 * an object with these members, given to `buildSeekable` and `openSeekable`.
 *
 * A blob is a row of *members* (of gzip; *frames* of zstd): each decompresses by itself, all of them joined are one tar.
 * Then come a TOC and a footer.
 */
export interface SeekableFormat extends Compressor, Decompressor {}

/** What writes a blob. One object may write several blobs at a time: what belongs to one blob is in its `start`. */
export interface Compressor {
  /** For messages and reports: `estargz`. */
  readonly name: string;
  /** What the blob's media type has after `tar`: `+gzip`, `+zstd`. */
  readonly suffix: string;
  /** How many members are worth compressing at a time. */
  readonly parallelism: number;
  /** Begins one blob. */
  start(): BlobCompressor;
}

/** One blob being written. */
export interface BlobCompressor {
  /**
   * True: a chunk is alone in its member, and the padding and headers after it are in one of their own.
   * False or absent: padding and headers go on in the member of the chunk before them. True excludes a minimum chunk size.
   */
  readonly chunksAlone?: boolean;
  /**
   * True: a file in the root that has the name of the TOC's tar entry is one like any other, since no reader of this format takes it for the TOC.
   * False or absent: a lossless build refuses it.
   */
  readonly takesTocFile?: boolean;
  /** Where a file of `size` bytes is cut into chunks; absent: every `chunkSize` bytes. */
  chunker?(size: number): Chunker;
  /** Sees every piece of the tar that is written, in its order, before it is compressed. */
  observe?(token: TarToken): Promise<void> | void;
  /**
   * One whole member that decompresses to these parts joined: the same bytes on every call, whatever else goes on.
   * Called for several members at a time.
   */
  member(parts: readonly Uint8Array[]): Promise<Uint8Array>;
  /** The TOC and the footer. Called once, after the last member. */
  tocAndFooter(layer: LayerEnd): Promise<TocAndFooter>;
}

/** Decides where one file is cut. Fed with all of its bytes in order. */
export interface Chunker {
  /**
   * How many bytes at the start of `run` belong to the present chunk, and whether it is complete with them. None, and not complete: more has to be
   * seen first, and the same bytes come again with those after them; never at the end of the file. A chunk is not completed empty.
   */
  take(run: Uint8Array): { readonly length: number; readonly complete: boolean };
  /** The size of a full chunk, where all but the last are equal. */
  readonly size?: number;
  /** What the chunk just completed is, for `TocEntry.chunkType`; absent for common data. */
  readonly chunkType?: string | undefined;
}

/** What is known when the last member has been written. */
export interface LayerEnd {
  /** Entries in the order of the tar, with their offsets. `endOffset` is set on every chunk. */
  readonly toc: Toc;
  /** Bytes of the blob so far: where the TOC starts, if it is in the blob. */
  readonly offset: number;
  /** Bytes of the tar so far. */
  readonly tarSize: number;
}

export interface TocAndFooter {
  /** What goes to the end of the blob, the footer last. */
  readonly bytes: readonly Uint8Array[];
  /** What of it counts as tar, decompressed, for the diffID; nothing where the TOC is no entry of the tar. */
  readonly tar: readonly Uint8Array[];
  /** What `Decompressor.parseToc` will return for this blob. */
  readonly tocDigest: Digest;
  /** For the layer's descriptor. */
  readonly annotations: Readonly<Record<string, string>>;
  /** A TOC that is not in the blob: the blob to keep beside it. */
  readonly externalToc?: Uint8Array;
}

/** What reads a blob. Keeps nothing from one call to the next. */
export interface Decompressor {
  readonly name: string;
  readonly suffix: string;
  /** Length of the footer in bytes. */
  readonly footerSize: number;
  /** Reads the last `footerSize` bytes of a blob. Undefined where they are no footer of this format. INVALID_TOC for a broken one. */
  parseFooter(footer: Uint8Array): Footer | undefined;
  /**
   * The TOC JSON, decompressed, from the bytes that the footer names; undefined where it says that the TOC is elsewhere.
   * LIMIT_EXCEEDED past `limit` bytes of JSON, INVALID_TOC where there is anything but the TOC.
   */
  decompressToc(bytes: ByteStream | undefined, options: TocOptions): Promise<Uint8Array>;
  /** The TOC and the digest by which an image vouches for it (`TocAndFooter.tocDigest`). Errors as in `decompressToc`, and INVALID_TOC, INVALID_JSON. */
  parseToc(bytes: ByteStream | undefined, options: TocOptions): Promise<ParsedToc>;
  /** Decompresses members from the start of one on. INVALID_COMPRESSION. */
  reader(bytes: ByteStream): ByteStream;
  /**
   * Like `reader`, where formats have something that readers of one member take and readers of the whole stumble over, such as zeros between members.
   * INVALID_COMPRESSION for that.
   */
  strictReader?(bytes: ByteStream): ByteStream;
  /** What of everything after the members, footer included, is tar to a reader that knows nothing of TOCs. Absent: nothing. */
  tarOfEnd?(bytes: ByteStream): ByteStream;
  /**
   * A shortcut for small members, of which a layer has thousands: the content of the one that `bytes` start with, or undefined where
   * it is large, broken, or does not lie in them whole; `reader` finds out which.
   */
  smallMember?(bytes: Uint8Array): Uint8Array | undefined;
  /** The same where the member must be all of `bytes`; else undefined. */
  wholeMember?(bytes: Uint8Array): Uint8Array | undefined;
  /** A shortcut for verifying many small members, off the main thread. */
  readonly memberDigester?: MemberDigester;
}

export interface Footer {
  /** Where the members end. Absent: at the footer. */
  readonly payloadSize?: number;
  /** Where the compressed TOC starts; negative: the TOC is not in the blob. */
  readonly tocOffset: number;
  /** Length of the compressed TOC; absent: up to the footer. */
  readonly tocSize?: number;
  /** What is needed to put the layer's tar together out of its files, in formats that have it. */
  readonly tarSplit?: TarSplitPosition;
}

export interface TarSplitPosition {
  readonly offset: number;
  /** Compressed. */
  readonly size: number;
  readonly rawSize: number;
}

export interface TocOptions {
  /** Bytes that the TOC may have, compressed and decompressed; `defaultTocLimit` by default. */
  readonly limit: number;
}

export interface ParsedToc {
  readonly toc: Toc;
  readonly tocDigest: Digest;
  /** By which older or other tools vouch for the same TOC. */
  readonly otherDigests?: readonly Digest[];
}

/** 150 MiB, what containers-storage takes: some 400,000 entries. */
export const defaultTocLimit: number = 150 * 1024 * 1024;
