import { OciTarError } from '../errors.ts';
import type { ImageStore, PruneOptions, PruneReport } from '../image/store.ts';

/**
 * Removes the blobs that no image of a store refers to, and what killed writers left. Safe beside writers of any process.
 * READ_ONLY where nothing can be removed; the error of an image's manifest that is damaged, with nothing removed.
 */
export async function pruneStore(store: ImageStore, options: PruneOptions = {}): Promise<PruneReport> {
  if (store.prune === undefined) throw new OciTarError('READ_ONLY', `nothing can be removed from ${store.name}`, { subject: store.name });
  return store.prune(options);
}
