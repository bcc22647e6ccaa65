import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { OciTarError, isOciTarError, localStore, onlyImage, openSource, parseLocation } from '@oci-tar/core';
import type { DockerEngineOptions, ImageStore, Location, NamedImage, OpenOptions } from '@oci-tar/core';
import { note } from './context.ts';
import type { Context } from './context.ts';
import { UsageError } from './failure.ts';
import { shown } from './style.ts';

const archiveEnding = /\.(?:tar(?:\.gz|\.zst)?|tgz|tzst)$/i;

/** Whether a word is a path and cannot well be an image: it starts like one, or ends like an archive. `-` counts too. */
export function isPathLike(word: string): boolean {
  return word === '-' || /^(?:\.{0,2}\/|\.{1,2}\\|[a-z]:[\\/])/i.test(word) || (archiveEnding.test(word) && !word.includes(':'));
}

/**
 * Reads where images are: what `parseLocation` reads (`oci-archive:FILE:REF`, `docker://NAME` and so on), a plain name in the
 * local store, or a plain path to an archive, a layout, or a directory of skopeo's (`out.tar`, `./layout`).
 */
export function placeOf(word: string): Location {
  if (word === '-') throw new UsageError('an archive on standard input can only be imported', 'Run oci-tar import - first.');
  if (!isPathLike(word)) return parseLocation(word);
  const asArchive = parseLocation(`oci-archive:${word}`);
  const { path = '' } = asArchive;
  if (!isDirectory(path)) return asArchive;
  return { ...asArchive, scheme: isDirOfSkopeo(path) ? 'dir' : 'oci' };
}

/** The word for an image, in the help of all commands that look at one. */
export const imageWord = 'A name in the local store, or an image elsewhere: out.tar, ./layout, oci-archive:FILE[:REF], oci:DIR[:REF], docker://NAME and others (docs/places.md)';

/** How places are opened. */
export function openOptions(context: Context): OpenOptions {
  return { store: context.store, signal: context.signal, registry: context.registry, containerd: { env: context.io.env }, dockerEngine: engineOptions(context), onNote: (text) => note(context, text) };
}

/** The engine is asked for its progress only where that is shown. */
function engineOptions({ io, progress, json, quiet }: Context): DockerEngineOptions {
  if (json || quiet) return { env: io.env };
  return {
    env: io.env,
    onLoad: ({ status, id = '', current, total }) => void (current === undefined || total === undefined || progress.elsewhere(shown(`the engine: ${status} ${id}`.trim()).replaceAll('\n', ' ').slice(0, 60), current, total)),
  };
}

/** How many blobs move at a time, where that was said. */
export function jobsOf({ registry }: Context): { readonly jobs?: number } {
  return registry.connections === undefined ? {} : { jobs: registry.connections };
}

/** The local store, or what takes its part. */
export function openStore(context: Context): Promise<ImageStore> {
  return localStore(context.store, openOptions(context));
}

/** Opens a place, hands it on and closes it in the end. */
export async function withSource<T>(context: Context, location: Location, work: (source: ImageStore) => Promise<T>): Promise<T> {
  if ((location.scheme === 'oci' || location.scheme === 'dedup') && location.path !== undefined && !existsSync(location.path)) {
    throw new OciTarError('NOT_FOUND', `${location.path} does not exist`, { side: 'source', subject: location.path });
  }
  const source = await naming(location.path ?? '', () => openSource(location, openOptions(context)));
  try {
    return await naming(location.path ?? '', () => work(source));
  } finally {
    await source.close();
  }
}

/** Has damage told with the name of the archive that has it. */
export async function naming<T>(archive: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOciTarError(error) || !(error.code === 'INVALID_TAR' || error.code === 'INVALID_COMPRESSION') || error.message.includes(archive)) throw error;
    throw new OciTarError(error.code, `${archive}: ${error.message}`, { ...error.details, cause: error });
  }
}

/** The image that a place names, or the only one there. */
export async function imageAt(source: ImageStore, location: Location): Promise<NamedImage> {
  return location.reference === undefined ? onlyImage(source) : resolveIn(source, location.reference);
}

/** The image that a place names, or all that are there. */
export async function imagesAt(source: ImageStore, location: Location): Promise<readonly NamedImage[]> {
  if (location.reference !== undefined) return [await resolveIn(source, location.reference)];
  const images: NamedImage[] = [];
  for await (const image of source.images()) images.push(image);
  return images;
}

async function resolveIn(source: ImageStore, reference: string): Promise<NamedImage> {
  try {
    return await source.resolve(reference);
  } catch (error) {
    if (!isOciTarError(error, 'NOT_FOUND') || !existsSync(reference)) throw error;
    throw new OciTarError('NOT_FOUND', error.message, { ...error.details, cause: error, hint: `There is a ${isDirectory(reference) ? 'directory' : 'file'} ${reference} here; to mean that, write ./${reference}.` });
  }
}

/** Whether a directory is one as `skopeo copy` to `dir:` writes it. */
export function isDirOfSkopeo(path: string): boolean {
  return existsSync(join(path, 'version')) && existsSync(join(path, 'manifest.json')) && !existsSync(join(path, 'oci-layout'));
}

export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
