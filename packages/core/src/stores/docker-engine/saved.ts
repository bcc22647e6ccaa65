import { createSpool } from '#runtime/spool';
import { abortable } from '../../bytes/stream.ts';
import type { ByteStream } from '../../bytes/types.ts';
import { tarReader } from '../../drivers/tar-reader.ts';
import type { ImageStore, NamedImage } from '../../image/store.ts';
import { readArchive } from '../read-archive.ts';
import type { EngineClient } from './client.ts';
import { strange } from './client.ts';
import type { DockerEngineOptions } from './options.ts';

/** The archive that the engine writes of images, as `docker save` has it: an image layout from docker 25 on. */
export async function* saveImages(client: EngineClient, references: readonly string[], signal: AbortSignal | undefined): ByteStream {
  const query = references.map((name) => ['names', name] as const);
  const answer = await client.request({ method: 'GET', path: '/images/get', query, what: `save ${references.join(', ')}`, work: true, signal });
  yield* answer.body;
}

/** An image as the engine saved it, in a temporary file, so that every part of it can be read in any order. */
export async function savedImage(client: EngineClient, reference: string, options: DockerEngineOptions): Promise<{ readonly store: ImageStore; readonly image: NamedImage }> {
  const { signal, limits, onNote } = options;
  onNote?.(`${reference} is saved by the docker engine into a temporary file first`);
  const spool = await createSpool();
  try {
    for await (const chunk of abortable(saveImages(client, [reference], signal), signal)) await spool.write(chunk);
    const driver = await tarReader(await spool.source(), { name: reference, onClose: () => spool.dispose(), ...(signal === undefined ? {} : { signal }) });
    const store = await readArchive(driver, {
      ...(limits === undefined ? {} : { limits }),
      ...(signal === undefined ? {} : { signal }),
      ...(onNote === undefined ? {} : { onNote }),
    });
    return { store, image: await onlyOne(store, reference, client) };
  } catch (error) {
    await spool.dispose();
    throw error;
  }
}

/** The archive of one image holds that; what refers to it may be listed after it. */
async function onlyOne(store: ImageStore, reference: string, client: EngineClient): Promise<NamedImage> {
  const found: NamedImage[] = [];
  for await (const image of store.images()) found.push(image);
  const named = found.find(({ name }) => name === reference) ?? found[0];
  if (named === undefined) throw strange(client, `saved ${reference} as an archive without an image`);
  return named;
}
