/** The name of the TOC's own entry, in the root of the tar. */
export const tocTarName = 'stargz.index.json';

/** Marks where prefetching ends: the files before it are wanted first. */
export const prefetchLandmark = '.prefetch.landmark';

/** Says that nothing should be prefetched. */
export const noPrefetchLandmark = '.no.prefetch.landmark';

/** What a landmark contains: one byte. */
export const landmarkContents = 0x0f;

/** Annotation of a layer's descriptor: the digest of the uncompressed TOC JSON. */
export const tocDigestAnnotation = 'containerd.io/snapshot/stargz/toc.digest';

/** Annotation of a layer's descriptor: bytes of the whole blob decompressed, for containers/storage. */
export const uncompressedSizeAnnotation = 'io.containers.estargz.uncompressed-size';

/** What an entry is. A `chunk` is a further piece of the `reg` before it. */
export type TocEntryType = 'dir' | 'reg' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo' | 'chunk';

/**
 * One entry of a TOC, as its JSON has it: the same names in the same order (stargz-snapshotter, docs/estargz.md, "TOCEntry").
 * A field that is 0 or empty is left out of the JSON, so an absent one means 0 or nothing. All numbers are whole and below 2^53.
 */
export interface TocEntry {
  /** As the tar has it: nothing is cleaned. */
  readonly name: string;
  readonly type: TocEntryType;
  /** Of a regular file, in bytes. */
  readonly size?: number;
  /** RFC 3339, UTC, in whole seconds. */
  readonly modtime?: string;
  /** Of a symlink and a hardlink. */
  readonly linkName?: string;
  /** Permission bits, 07777. Some producers add the file's type as in `st_mode`. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Only where it differs from that of the last entry with this uid; readers carry it forward. */
  readonly userName?: string;
  readonly groupName?: string;
  /** Position in the blob of the member that the chunk's bytes are in. 0 is a position like any other. */
  readonly offset?: number;
  /** Position of the chunk's bytes in the decompressed member. */
  readonly innerOffset?: number;
  readonly devMajor?: number;
  readonly devMinor?: number;
  /** Extended attributes; base64 in the JSON. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  /** Of a regular file's whole content, empty files included. */
  readonly digest?: string;
  /** Position of this chunk in its file. */
  readonly chunkOffset?: number;
  /** In bytes. Absent: up to the end of the file. */
  readonly chunkSize?: number;
  /** Of this chunk's content. */
  readonly chunkDigest?: string;
  /** As `modtime`; only zstd:chunked of containers-storage writes them, with all digits that the tar has. */
  readonly accesstime?: string;
  readonly changetime?: string;
  /** Where the chunk's compressed bytes end, or in a TOC that was read the file's. Only zstd:chunked of containers-storage writes it. */
  readonly endOffset?: number;
  /** `zeros`: the chunk is all zeros. Only zstd:chunked of containers-storage writes it. */
  readonly chunkType?: string;
}

/** A table of contents: what a layer's files are and where in the blob they start. */
export interface Toc {
  readonly version: number;
  readonly entries: readonly TocEntry[];
  /** Of the compressed tar-split part. Only zstd:chunked of containers-storage has one. */
  readonly tarSplitDigest?: string;
}
