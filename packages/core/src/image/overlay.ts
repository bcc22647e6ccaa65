import { bytesSource } from '../bytes/source.ts';
import { counted } from '../bytes/stream.ts';
import type { ByteSource } from '../bytes/types.ts';
import type { Digest } from '../spec/digest.ts';
import type { ImageStore } from './store.ts';

/** A place to read from whose blobs are opened in another way. */
function withOpen(store: ImageStore, open: ImageStore['open']): ImageStore {
  const { referrers, format, index } = store;
  return {
    name: store.name,
    ...(format === undefined ? {} : { format }),
    images: () => store.images(),
    ...(index === undefined ? {} : { index: () => index.call(store) }),
    resolve: (reference) => store.resolve(reference),
    ...(referrers === undefined ? {} : { referrers: (...args) => referrers.apply(store, args) }),
    open,
    close: () => store.close(),
  };
}

/** A place to read from, with some blobs more: those that `find` knows. */
export function withSources(store: ImageStore, find: (digest: Digest) => ByteSource | undefined): ImageStore {
  return withOpen(store, async (blob) => find(blob.digest) ?? store.open(blob));
}

/** The same place to read from, which tells how many bytes of blobs are read. */
export function watchedStore(store: ImageStore, onBytes: (count: number) => void): ImageStore {
  return withOpen(store, async (blob) => {
    const source = await store.open(blob);
    return { size: source.size, read: (...range) => counted(source.read(...range), onBytes) };
  });
}

/** A place to read from, with some small blobs more that are held in memory. */
export function withBlobs(store: ImageStore, blobs: ReadonlyMap<Digest, Uint8Array>): ImageStore {
  return withSources(store, (digest) => {
    const bytes = blobs.get(digest);
    return bytes === undefined ? undefined : bytesSource(bytes);
  });
}
