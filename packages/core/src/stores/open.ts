import { OciTarError } from '../errors.ts';
import type { ImageStore } from '../image/store.ts';
import type { ArchiveTargetOptions, OpenArchiveOptions } from './archive.ts';
import { layoutStore } from './layout.ts';
import type { LayoutStoreOptions } from './layout.ts';
import type { Location } from './location.ts';

export interface OpenOptions extends OpenArchiveOptions {
  /** The directory of the local store, for `store:`. */
  readonly store: string;
}

/** Opens a place to read images from. NOT_FOUND when there is no such file or directory. */
export async function openSource(location: Location, options: OpenOptions): Promise<ImageStore> {
  if (location.scheme === 'oci-archive') {
    const { openArchive } = await import('./archive.ts');
    return openArchive(pathOf(location), options);
  }
  return location.scheme === 'oci' ? openDirectory(pathOf(location)) : localStore(options.store);
}

/** Opens a place to write images to. An archive is made anew; a directory or the local store is added to. */
export async function openTarget(location: Location, options: OpenOptions & ArchiveTargetOptions): Promise<ImageStore> {
  if (location.scheme === 'oci-archive') {
    const { archiveTarget } = await import('./archive.ts');
    return archiveTarget(pathOf(location), options);
  }
  return location.scheme === 'oci' ? openDirectory(pathOf(location), { mayBeNew: true }) : localStore(options.store);
}

/** An OCI image layout directory; names are spelled as they are given. */
export async function openDirectory(path: string, options: LayoutStoreOptions = {}): Promise<ImageStore> {
  const { directoryDriver } = await import('../drivers/directory.ts');
  return layoutStore(directoryDriver(path), { name: path, ...options });
}

/** The local store: an OCI image layout directory whose names are full ones. It is empty until it is first written. */
export function localStore(path: string): Promise<ImageStore> {
  return openDirectory(path, { mayBeNew: true });
}

function pathOf({ scheme, path }: Location): string {
  if (path !== undefined) return path;
  throw new OciTarError('INVALID_ARGUMENT', `${scheme}: needs a path`);
}
