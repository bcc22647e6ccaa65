import { OciTarError } from '../errors.ts';
import { roleOf } from '../image/children.ts';
import { beginOn } from '../image/push.ts';
import { openBlob } from '../image/read.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { normalizeName } from '../spec/reference.ts';

/** Gives an image one more name in the store where it is; a name that was there moves. No blob is read. */
export async function tagImage(store: ImageStore, reference: string, newName: string): Promise<NamedImage> {
  const { descriptor } = await store.resolve(reference);
  const name = normalizeName(newName);
  const session = await beginOn(store);
  try {
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
  } catch (error) {
    await session.abort(error);
    throw error;
  }
  return { name, descriptor };
}

/** Takes a name away. The image's blobs stay. NOT_FOUND when there is no such name. */
export async function removeImage(store: ImageStore, reference: string): Promise<void> {
  if (store.remove === undefined) throw new OciTarError('READ_ONLY', `nothing can be removed from ${store.name}`, { subject: store.name });
  await store.remove(reference);
}
