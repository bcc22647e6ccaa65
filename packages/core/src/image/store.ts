import type { ByteSource, ByteStream } from '../bytes/types.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { JsonLimits } from '../spec/limits.ts';
import type { Content, Plan } from './plan.ts';

/** A name and what it points to. The name is absent where a layout lists a descriptor without one. */
export interface NamedImage {
  readonly name?: string;
  readonly descriptor: Descriptor;
}

export interface ReferrersOptions {
  /** Only what can be told without reading manifests: perhaps not all, and lists of referrers for what they list. */
  readonly quick?: boolean;
  /** Calls with the same object see the place in one state, which is read once. */
  readonly view?: object;
  readonly limits?: JsonLimits;
}

/** A place where images live by name: a layout over any ImageDriver, a registry, containerd, a docker engine. */
export interface ImageStore {
  readonly name: string;
  /** Set where the images are kept in another form than OCI's, so that their manifests are made up while they are read. */
  readonly format?: 'docker-archive';
  /** Set where each blob costs a request: how many of these are under way at a time. */
  readonly connections?: number;
  images(): AsyncIterable<NamedImage>;
  /** The bytes of the index that lists the images, as they are written. Absent where there is none. */
  index?(): Promise<Uint8Array>;
  /** The descriptor that a reference (`name:tag`, `name@digest`, a bare tag) points to here. NOT_FOUND, naming the near ones; CONFLICT for a tag alone that several images have. */
  resolve(reference: string): Promise<NamedImage>;
  /** Raw, unverified bytes of a blob. NOT_FOUND; SIZE_MISMATCH where the medium already knows better. */
  open(blob: Descriptor): Promise<ByteSource>;
  /** Fetches small blobs that are about to be opened, several at a time. Never fails: `open` does, later. Absent where that would win nothing. */
  prefetch?(blobs: readonly Descriptor[]): Promise<void>;
  /**
   * What refers to this content here, with artifactType and annotations as the distribution-spec's referrers API gives them, sorted by
   * digest; one that is listed and absent is given too. SIZE_MISMATCH for one that says another size of its subject; errors of damaged ones.
   */
  referrers?(subject: Descriptor, options?: ReferrersOptions): AsyncIterable<Descriptor>;
  /** Starts writing. Absent on a read-only place. */
  begin?(plan?: Plan, options?: { readonly signal?: AbortSignal }): Promise<WriteSession>;
  remove?(reference: string): Promise<void>;
  /** Every blob that lies here, whether something refers to it or not. Absent where nobody can tell. */
  blobs?(): AsyncIterable<Pick<Descriptor, 'digest' | 'size'>>;
  /** Removes the blobs that no image here refers to and no session relies on. Absent where that is not for us to do. */
  prune?(options?: PruneOptions): Promise<PruneReport>;
  /**
   * Removes a blob whose bytes are not those of its digest, so that a later import brings it back instead of relying on it.
   * Reads it once more; false when it is sound or not there.
   */
  discardDamaged?(blob: Pick<Descriptor, 'digest'>): Promise<boolean>;
  close(): Promise<void>;
}

/** One write under way: a lease, a lock, an upload scope, an archive being written. */
export interface WriteSession {
  /** True where contents must come one at a time in the order of `archiveOrder` (an archive). */
  readonly sequential?: boolean;
  /**
   * Keeps these blobs, and what they refer to here, from being pruned while the session lasts. `has` and `push` do so by
   * themselves; told beforehand of many it is cheaper. What was looked up before this call may be gone after it.
   */
  hold?(blobs: readonly Pick<Descriptor, 'digest' | 'size' | 'mediaType'>[]): Promise<void>;
  /** Whether the blob is already here, complete, so that nothing needs to be sent. */
  has(blob: Pick<Descriptor, 'digest' | 'size'> & { readonly mediaType?: string }): Promise<boolean>;
  /** Takes one blob; verified before it is visible under its digest. */
  push(content: Content, options?: { readonly onBytes?: (count: number) => void; readonly signal?: AbortSignal }): Promise<void>;
  /** Takes bytes whose content is not planned yet; `push` of the same digest adopts them, `end` drops the rest. */
  stage?(bytes: ByteStream, expected?: { readonly digest?: Descriptor['digest']; readonly size?: number }): Promise<StagedBlob>;
  /** Gives an image its name; visible at `end`. */
  name(reference: string | undefined, root: Content): Promise<void>;
  /** Everything is here: names become visible. */
  end(): Promise<void>;
  /** Given up: no name changes and nothing half-written stays. */
  abort(reason?: unknown): Promise<void>;
}

export interface PruneOptions {
  /** Only says what would be removed. */
  readonly dryRun?: boolean;
  /** For the manifests and indexes that have to be read. */
  readonly limits?: JsonLimits;
  readonly signal?: AbortSignal;
}

export interface PruneReport {
  /** Blobs that were removed, and their bytes. */
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that images refer to, or that a session under way relies on. */
  readonly kept: number;
  /** Of those the ones that only a session relies on. */
  readonly leased: number;
  /** What writers that are gone for good had left. */
  readonly abandoned: { readonly files: number; readonly bytes: number };
}

export interface StagedBlob {
  readonly digest: Descriptor['digest'];
  readonly size: number;
  source(): ByteSource;
}
