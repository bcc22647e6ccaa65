import type { Digest } from '../spec/digest.ts';
import type { BlobLease, ImageDriver, LeasedBlob } from './driver.ts';

/** What one session holds against pruning: each blob once, on a lease that begins with the first. */
export class Holding {
  readonly #driver: ImageDriver;
  readonly #options: { readonly signal?: AbortSignal };
  readonly #held = new Set<Digest>();
  /** Held without what they refer to. */
  readonly #leaves = new Set<Digest>();
  #lease: Promise<BlobLease> | undefined;

  constructor(driver: ImageDriver, signal?: AbortSignal) {
    this.#driver = driver;
    this.#options = signal === undefined ? {} : { signal };
  }

  has(digest: Digest): boolean {
    return this.#driver.lease === undefined || this.#held.has(digest) || this.#leaves.has(digest);
  }

  /** Holds blobs with all that they refer to. */
  add(blobs: readonly LeasedBlob[]): Promise<void> {
    return this.#add(blobs, this.#held);
  }

  /** Holds a blob of which nothing more is known. */
  addLeaf({ digest, size }: Pick<LeasedBlob, 'digest' | 'size'>): Promise<void> {
    return this.#add([{ digest, size, mediaType: '' }], this.#leaves);
  }

  async #add(blobs: readonly LeasedBlob[], known: Set<Digest>): Promise<void> {
    if (this.#driver.lease === undefined) return;
    const added = blobs.filter(({ digest }) => !known.has(digest));
    if (added.length === 0) return;
    this.#lease ??= this.#driver.lease(this.#options);
    await (await this.#lease).add(added);
    for (const { digest } of added) known.add(digest);
  }

  /** Inside `exclusive`. CONFLICT when what is held may have been pruned all the same. */
  async confirm(): Promise<void> {
    await (await this.#lease)?.confirm();
  }

  async release(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    await (await lease?.catch(() => undefined))?.release();
  }
}
