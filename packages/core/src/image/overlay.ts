import { bytesSource } from '../bytes/source.ts';
import type { Digest } from '../spec/digest.ts';
import type { ImageStore } from './store.ts';

/** A place to read from, with some small blobs more that are held in memory. */
export function withBlobs(store: ImageStore, blobs: ReadonlyMap<Digest, Uint8Array>): ImageStore {
  const { referrers, format, index } = store;
  return {
    name: store.name,
    ...(format === undefined ? {} : { format }),
    images: () => store.images(),
    ...(index === undefined ? {} : { index: () => index.call(store) }),
    resolve: (reference) => store.resolve(reference),
    ...(referrers === undefined ? {} : { referrers: (...args) => referrers.apply(store, args) }),
    async open(blob) {
      const bytes = blobs.get(blob.digest);
      return bytes === undefined ? store.open(blob) : bytesSource(bytes);
    },
    close: () => store.close(),
  };
}
