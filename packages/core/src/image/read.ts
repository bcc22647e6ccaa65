import { verified } from '../bytes/digest.ts';
import { bytesSource, collect } from '../bytes/source.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import { embeddedData } from '../spec/descriptor.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseDocument } from '../spec/document.ts';
import type { Document } from '../spec/document.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import type { ImageStore } from './store.ts';

/** A small blob whole, its size and digest checked. LIMIT_EXCEEDED past `limit` bytes. */
export async function readBlob(store: ImageStore, descriptor: Descriptor, limit: number = defaultLimits.bytes): Promise<Uint8Array> {
  if (descriptor.size > limit) {
    throw new OciTarError('LIMIT_EXCEEDED', `${descriptor.mediaType} ${descriptor.digest} has ${descriptor.size} bytes, more than the limit of ${limit}`, {
      limit,
      actual: descriptor.size,
      subject: descriptor.digest,
    });
  }
  const source = await openBlob(store, descriptor);
  return collect(verified(source.read(), descriptor), limit, descriptor.digest);
}

/** A manifest or index, read and parsed; undefined when the media type is of neither. */
export async function readDocument(store: ImageStore, descriptor: Descriptor, limits: JsonLimits = defaultLimits): Promise<Document | undefined> {
  return parseDocument(await readBlob(store, descriptor, limits.bytes), descriptor, { limits });
}

/** So many documents are fetched before they are read one by one: few enough for a place to keep them. */
export const together = 64;

/** Has each place fetch what is about to be read from it, where each blob is a request. */
export async function prefetch(wanted: readonly { readonly source: ImageStore; readonly descriptor: Descriptor }[]): Promise<void> {
  for (const source of new Set(wanted.map((one) => one.source))) {
    await source.prefetch?.(wanted.filter((one) => one.source === source).map(({ descriptor }) => descriptor));
  }
}

/** Raw bytes from the store, or from the descriptor itself where it embeds them. NOT_FOUND when neither has them. */
export async function openBlob(store: ImageStore, descriptor: Descriptor): ReturnType<ImageStore['open']> {
  try {
    return await store.open(descriptor);
  } catch (error) {
    const embedded = embeddedData(descriptor);
    if (embedded === undefined || !isOciTarError(error, 'NOT_FOUND')) throw error;
    return bytesSource(embedded);
  }
}
