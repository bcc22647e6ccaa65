import type { ByteSource, ByteStream } from '../bytes/types.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Content, Plan } from './plan.ts';

/** A name and what it points to. The name is absent where a layout lists a descriptor without one. */
export interface NamedImage {
  readonly name?: string;
  readonly descriptor: Descriptor;
}

/** A place where images live by name: a layout over any ImageDriver, a registry, containerd, a docker engine. */
export interface ImageStore {
  readonly name: string;
  images(): AsyncIterable<NamedImage>;
  /** The descriptor that a reference (`name:tag`, `name@digest`, a bare tag) points to here. NOT_FOUND, naming the near ones; CONFLICT for a tag alone that several images have. */
  resolve(reference: string): Promise<NamedImage>;
  /** Raw, unverified bytes of a blob. NOT_FOUND; SIZE_MISMATCH where the medium already knows better. */
  open(blob: Descriptor): Promise<ByteSource>;
  referrers?(subject: Descriptor): AsyncIterable<Descriptor>;
  /** Starts writing. Absent on a read-only place. */
  begin?(plan?: Plan, options?: { readonly signal?: AbortSignal }): Promise<WriteSession>;
  remove?(reference: string): Promise<void>;
  close(): Promise<void>;
}

/** One write under way: a lease, a lock, an upload scope, an archive being written. */
export interface WriteSession {
  /** True where contents must come one at a time in the order of `archiveOrder` (an archive). */
  readonly sequential?: boolean;
  /** Whether the blob is already here, complete, so that nothing needs to be sent. */
  has(blob: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean>;
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

export interface StagedBlob {
  readonly digest: Descriptor['digest'];
  readonly size: number;
  source(): ByteSource;
}
