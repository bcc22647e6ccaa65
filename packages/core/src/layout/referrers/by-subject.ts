import type { ImageStore } from '../../image/store.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { JsonLimits } from '../../spec/limits.ts';
import { readEntry } from './entries.ts';
import type { ReadEntry } from './entries.ts';
import { grouped } from './grouped.ts';

/** All listed manifests and indexes that state a subject, by its digest. Reads each of them, once. */
export async function entriesBySubject(store: ImageStore, entries: readonly Descriptor[], limits?: JsonLimits): Promise<ReadonlyMap<string, readonly ReadEntry[]>> {
  const read = new Map<string, ReadEntry>();
  for (const entry of entries) {
    if (read.has(entry.digest)) continue;
    const found = await readEntry(store, entry, limits);
    if (found?.subject !== undefined) read.set(entry.digest, found);
  }
  return grouped(read.values(), (found) => found.subject?.digest);
}
