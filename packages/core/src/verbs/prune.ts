import { OciTarError } from '../errors.ts';
import type { ImageStore, PruneOptions, PruneReport } from '../image/store.ts';
import type { LayoutPruneReport } from '../layout/prune.ts';

/** `referrers` is there where the store lists what refers to its images. */
export type StorePruneReport = PruneReport & Partial<LayoutPruneReport>;

/**
 * Removes the blobs that no image of a store refers to, what is listed as a referrer of an image that is gone, and what killed
 * writers left. Safe beside writers of any process.
 * READ_ONLY where nothing can be removed; the error of an image's manifest that is damaged, with nothing removed.
 */
export async function pruneStore(store: ImageStore, options: PruneOptions = {}): Promise<StorePruneReport> {
  if (store.prune === undefined) throw new OciTarError('READ_ONLY', `nothing can be removed from ${store.name}`, { subject: store.name });
  return store.prune(options);
}
