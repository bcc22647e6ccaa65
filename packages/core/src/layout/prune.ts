import { OciTarError, isOciTarError } from '../errors.ts';
import { eachOf } from '../image/each.ts';
import { Reachable } from '../image/reachable.ts';
import type { ImageStore, PruneOptions, PruneReport } from '../image/store.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { blobPath, digestOfBlobPath } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import type { ImageDriver, LayoutWriters } from './driver.ts';
import { readIndex, writeIndex } from './files.ts';
import { orphansOf } from './orphans.ts';

type Blob = Pick<Descriptor, 'digest' | 'size'>;

export interface LayoutPruneReport extends PruneReport {
  /** Entries of index.json that referred to what is gone, and were taken away. */
  readonly referrers: number;
}

/** How many blobs are looked at under the lock at a time: 0.1 to 0.3 s on a local disk, so that nobody waits long. */
const batchSize = 1024;

/** How many are removed at a time. */
const jobs = 8;

/** The blobs that lie on a medium. */
export async function* blobsOf(driver: ImageDriver): AsyncGenerator<Blob> {
  for await (const { path, size } of driver.list('blobs/')) {
    const digest = digestOfBlobPath(path);
    if (digest !== undefined) yield { digest, size };
  }
}

/**
 * Removes the blobs of a layout that neither its index.json nor the lease of a living writer leads to, and what dead writers
 * left; before that, the entries of index.json that refer to a subject which is gone. UNSUPPORTED where the medium knows no leases; the error of a listed manifest that is damaged, with nothing removed.
 * Why this is safe beside writers: docs/decisions/prune.md.
 */
export async function pruneLayout(driver: ImageDriver, store: ImageStore, options: PruneOptions = {}): Promise<LayoutPruneReport> {
  const pruning = new Pruning(driver, store, options);
  let batch: Blob[] = [];
  for (const blob of await pruning.candidates()) {
    batch.push(blob);
    if (batch.length < batchSize) continue;
    await pruning.sweep(batch);
    batch = [];
  }
  await pruning.sweep(batch);
  return pruning.report();
}

class Pruning {
  readonly #driver: ImageDriver;
  readonly #options: PruneOptions;
  readonly #store: ImageStore;
  /** From index.json. */
  readonly #listed: Reachable;
  readonly #orphans = new Set<Digest>();
  #all = 0;
  #blobs = 0;
  #bytes = 0;
  #leased = 0;
  #files = 0;
  #fileBytes = 0;

  constructor(driver: ImageDriver, store: ImageStore, options: PruneOptions) {
    this.#driver = driver;
    this.#store = store;
    this.#options = options;
    this.#listed = new Reachable(store, options);
  }

  report(): LayoutPruneReport {
    const abandoned = { files: this.#files, bytes: this.#fileBytes };
    return { blobs: this.#blobs, bytes: this.#bytes, kept: this.#all - this.#blobs, leased: this.#leased, abandoned, referrers: this.#orphans.size };
  }

  /** What seems to be of no use. Without the lock: most manifests have been read before anybody has to wait. */
  async candidates(): Promise<readonly Blob[]> {
    const found: Blob[] = [];
    for await (const blob of blobsOf(this.#driver)) found.push(blob);
    this.#all = found.length;
    await this.#followIndex((await readIndex(this.#driver)).manifests);
    return found.filter(({ digest }) => !this.#listed.has(digest));
  }

  /** Under the lock nobody can add a name or a lease: what neither leads to now, nobody relies on. */
  sweep(candidates: readonly Blob[]): Promise<void> {
    return this.#driver.exclusive(async () => {
      const index = await readIndex(this.#driver);
      const { leased } = await this.#writers();
      // Anew each time, since what was leased once may be let go.
      const held = new Reachable(this.#store, this.#options);
      await this.#follow(held, leased);
      const orphans = await this.#followIndex(index.manifests, held);
      for (const { digest } of orphans) this.#orphans.add(digest);
      // Before any blob goes: no entry may point to nothing, should this process be killed.
      if (orphans.size > 0 && this.#options.dryRun !== true) await writeIndex(this.#driver, index.manifests.filter((entry) => !orphans.has(entry)), index);
      const unlisted = candidates.filter(({ digest }) => !this.#listed.has(digest));
      const gone = unlisted.filter(({ digest }) => !held.has(digest));
      this.#leased += unlisted.length - gone.length;
      await eachOf(gone, jobs, async ({ digest, size }) => {
        this.#options.signal?.throwIfAborted();
        if (this.#options.dryRun !== true) await this.#driver.remove(blobPath(digest));
        this.#blobs += 1;
        this.#bytes += size;
      });
    }, this.#options.signal === undefined ? {} : { signal: this.#options.signal });
  }

  /** Follows what is listed, but for the referrers whose subject neither that leads to nor what is held; returns those. */
  #followIndex(entries: readonly Descriptor[], held?: Reachable): Promise<ReadonlySet<Descriptor>> {
    return orphansOf(entries, (digest) => this.#listed.has(digest) || held?.has(digest) === true, (roots) => this.#follow(this.#listed, roots));
  }

  async #follow(reachable: Reachable, roots: readonly Descriptor[]): Promise<void> {
    try {
      await reachable.add(roots);
    } catch (error) {
      if (!isOciTarError(error) || error === this.#options.signal?.reason) throw error;
      throw new OciTarError(error.code, `nothing is pruned, since what an image refers to cannot be told: ${error.message}`, {
        ...error.details,
        cause: error,
        hint: 'See oci-tar verify; import that image again, or remove it.',
      });
    }
  }

  async #writers(): Promise<LayoutWriters> {
    const { writers } = this.#driver;
    if (writers === undefined || this.#driver.lease === undefined) {
      throw new OciTarError('UNSUPPORTED', `${this.#driver.name} cannot be pruned: it does not tell what others are writing`, { subject: this.#driver.name });
    }
    const found = await writers.call(this.#driver, { dryRun: this.#options.dryRun ?? false });
    // Under dryRun they are found again for each batch.
    if (this.#options.dryRun !== true || this.#files === 0) {
      this.#files += found.abandoned.files;
      this.#fileBytes += found.abandoned.bytes;
    }
    return found;
  }
}
