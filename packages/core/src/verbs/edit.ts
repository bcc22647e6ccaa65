import { OciTarError } from '../errors.ts';
import { roleOf } from '../image/children.ts';
import { beginOn } from '../image/push.ts';
import { openBlob } from '../image/read.ts';
import type { ImageStore, NamedImage, WriteSession } from '../image/store.ts';
import { normalizeName } from '../spec/reference.ts';

/** Gives an image one more name in the store where it is; a name that was there moves. No blob is read. */
export async function tagImage(store: ImageStore, reference: string, newName: string): Promise<NamedImage> {
  const name = normalizeName(newName);
  // Before anything is written: a store that is not there yet is not made for nothing.
  await store.resolve(reference);
  const session = await beginOn(store);
  try {
    const { descriptor } = await heldImage(store, session, reference);
    await session.name(name, {
      descriptor,
      role: roleOf(descriptor),
      height: 0,
      origins: [store],
      read: async function* () {
        yield* (await openBlob(store, descriptor)).read();
      },
    });
    await session.end();
    return { name, descriptor };
  } catch (error) {
    await session.abort(error);
    throw error;
  }
}

/** The image that a reference means now that it is held: before, its name may have been taken away and its blobs pruned. */
async function heldImage(store: ImageStore, session: WriteSession, reference: string): Promise<NamedImage> {
  for (;;) {
    const image = await store.resolve(reference);
    await session.hold?.([image.descriptor]);
    const again = await store.resolve(reference);
    if (again.descriptor.digest === image.descriptor.digest) return again;
  }
}

/** Takes a name away, or by its digest what is listed without one. The image's blobs stay until `pruneStore`. NOT_FOUND when there is no such name. */
export async function removeImage(store: ImageStore, reference: string): Promise<void> {
  if (store.remove === undefined) throw new OciTarError('READ_ONLY', `nothing can be removed from ${store.name}`, { subject: store.name });
  await store.remove(reference);
}
