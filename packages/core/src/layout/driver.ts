import type { ByteSink, ByteSource } from '../bytes/types.ts';
import type { HashAlgorithm } from '../runtime/digester.ts';
import type { Digest } from '../spec/digest.ts';

/**
 * A medium that holds the files of one OCI image layout: a tar archive, a directory, memory.
 * Paths are relative, with `/` between their parts (`index.json`, `blobs/sha256/<hex>`).
 *
 * A third party's driver proves itself with `driverConformance` of `@oci-tar/core/testing`.
 */
export interface ImageDriver {
  readonly name: string;
  /**
   * `random`: files can be read, replaced and removed at any time.
   * `append`: each file is written once, in order, and never read back (a tar archive being written).
   * `read`: nothing can be written.
   */
  readonly access: 'random' | 'append' | 'read';
  /** Makes `blobs/` and `blobs/sha256/` where they are missing. */
  init(): Promise<void>;
  /** The files below a prefix, in no particular order. */
  list(prefix?: string): AsyncIterable<{ readonly path: string; readonly size: number }>;
  /** A file for reading. NOT_FOUND, or UNSUPPORTED where the medium is write-only. */
  reader(path: string): Promise<ByteSource>;
  /** A file that is not a blob, replaced whole at commit. `mode` is the permission bits, 0644 by default. */
  writer(path: string, options?: { readonly mode?: number }): Promise<FileWriter>;
  /** A blob under its digest. With digest and size known beforehand an append medium streams it instead of spooling it. */
  blobWriter(options?: BlobWriterOptions): Promise<BlobWriter>;
  /** UNSUPPORTED on an append medium. Removing what is not there is no error. */
  remove(path: string): Promise<void>;
  /**
   * Runs `work` while no other writer, in this process or another, is inside `exclusive` on the same layout.
   * `signal` ends the waiting for that, not the work.
   */
  exclusive<T>(work: () => Promise<T>, options?: { readonly signal?: AbortSignal }): Promise<T>;
  /** Starts a lease, by which a writer says what it relies on. Absent where nothing can be pruned. An abort ends its waiting for `exclusive`. */
  lease?(options?: { readonly signal?: AbortSignal }): Promise<BlobLease>;
  /**
   * Removes what writers left that are gone for good, and tells what the others rely on. To be called inside `exclusive`.
   * Comes together with `lease`. `dryRun`: tells the same and removes nothing.
   */
  writers?(options?: { readonly dryRun?: boolean }): Promise<LayoutWriters>;
  /** Done. An append medium gets its end here. */
  close(): Promise<void>;
  /** Given up: leaves nothing that could be taken for a finished layout. */
  abort(reason?: unknown): Promise<void>;
}

export interface BlobWriterOptions {
  /** `sha256` by default, or what `digest` says. */
  readonly algorithm?: HashAlgorithm;
  readonly digest?: Digest;
  readonly size?: number;
}

/**
 * What one writer relies on until index.json says so: blobs that it has found in the layout or is about to add, with all that
 * they refer to. Whoever prunes leaves them alone. A blob counts as relied on only when it is looked for after `add`.
 */
export interface BlobLease {
  /** Returns when every later `writers` tells of these blobs. Takes `exclusive` itself. CONFLICT when the lease was lost. */
  add(blobs: readonly LeasedBlob[]): Promise<void>;
  /** Inside `exclusive`: CONFLICT when the lease was lost, as this writer was taken for dead. */
  confirm(): Promise<void>;
  release(): Promise<void>;
}

export interface LeasedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
}

export interface LayoutWriters {
  readonly leased: readonly LeasedBlob[];
  /** What writers that are gone for good left behind, in files and bytes. */
  readonly abandoned: { readonly files: number; readonly bytes: number };
}

/** Nothing of the file is visible before `commit`. */
export type FileWriter = ByteSink;

/** Nothing of the blob is visible before `commit`; it never closes its driver. */
export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Checks the size first, then the digest, and only then makes the blob visible under its digest.
   * SIZE_MISMATCH, DIGEST_MISMATCH. A blob that is already there is kept and the new copy dropped.
   */
  commit(expected?: ExpectedBlob): Promise<WrittenBlob>;
  /** Like `commit`, but the blob stays invisible until its own `commit`. Absent where the medium has no place to wait. */
  seal?(expected?: ExpectedBlob): Promise<SealedBlob>;
  abort(reason?: unknown): Promise<void>;
  /** Known after `commit` or `seal`. */
  readonly digest?: Digest;
}

export interface ExpectedBlob {
  readonly digest?: Digest;
  readonly size?: number;
}

export interface WrittenBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** A blob that is complete, verified and on its medium, but not yet in the layout. */
export interface SealedBlob extends WrittenBlob {
  source(): ByteSource;
  commit(): Promise<void>;
  abort(): Promise<void>;
}
