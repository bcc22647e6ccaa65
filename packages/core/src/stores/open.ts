import { OciTarError } from '../errors.ts';
import type { ImageStore } from '../image/store.ts';
import type { ArchiveTargetOptions, OpenArchiveOptions } from './archive.ts';
import type { ContainerdOptions } from './containerd/store.ts';
import { isDedupDirectory } from './dedup/marker.ts';
import type { OpenDirOptions } from './dir.ts';
import type { DockerEngineOptions } from './docker-engine/options.ts';
import type { DockerEngineStore } from './docker-engine/store.ts';
import { layoutStore } from './layout.ts';
import type { LayoutStoreOptions } from './layout.ts';
import type { Location } from './location.ts';
import type { RegistryOptions } from './registry/options.ts';

export interface OpenOptions extends OpenArchiveOptions {
  /** The directory of the local store, for `store:`. */
  readonly store: string;
  /** How containerd is spoken to, for `containerd:`. */
  readonly containerd?: ContainerdOptions;
  /** How the docker engine is found and spoken to, for `docker-daemon:`. */
  readonly dockerEngine?: DockerEngineOptions;
  /** How registries are spoken to, for `docker://`. */
  readonly registry?: RegistryOptions;
}

/** Opens a place to read images from. NOT_FOUND when there is no such file or directory. */
export async function openSource(location: Location, options: OpenOptions): Promise<ImageStore> {
  if (isArchive(location)) {
    const { openArchive } = await import('./archive.ts');
    return openArchive(pathOf(location), options);
  }
  if (location.scheme === 'docker') return openRepository(pathOf(location), options);
  if (location.scheme === 'containerd') return openContainerd(location.path, options);
  if (location.scheme === 'docker-daemon') return openDockerEngine(options);
  if (location.scheme === 'dir') return openDir(pathOf(location));
  if (location.scheme === 'dedup') return openDedup(pathOf(location));
  return location.scheme === 'oci' ? openDirectory(pathOf(location)) : localStore(options.store, options);
}

/** Opens a place to write images to. An archive is made anew; a directory or the local store is added to. */
export async function openTarget(location: Location, options: OpenOptions & ArchiveTargetOptions): Promise<ImageStore> {
  if (isArchive(location)) {
    const { archiveTarget } = await import('./archive.ts');
    return archiveTarget(pathOf(location), { ...options, format: location.scheme === 'docker-archive' ? 'docker' : 'oci' });
  }
  if (location.scheme === 'docker') return openRepository(pathOf(location), options);
  if (location.scheme === 'containerd') return openContainerd(location.path, options);
  if (location.scheme === 'docker-daemon') return openDockerEngine(options);
  if (location.scheme === 'dir') return openDir(pathOf(location), { mayBeNew: true });
  if (location.scheme === 'dedup') return openDedup(pathOf(location), { mayBeNew: true });
  return location.scheme === 'oci' ? openDirectory(pathOf(location), { mayBeNew: true }) : localStore(options.store, options);
}

/** An OCI image layout directory, deduplicated or not; names are spelled as they are given. */
export async function openDirectory(path: string, options: LayoutStoreOptions = {}): Promise<ImageStore> {
  if (isDedupDirectory(path)) return openDedup(path, options);
  const { directoryDriver } = await import('../drivers/directory.ts');
  return layoutStore(directoryDriver(path), { name: path, ...options });
}

/** A deduplicated store: an image layout directory that keeps the files of its layers once. */
export async function openDedup(path: string, options: LayoutStoreOptions = {}): Promise<ImageStore> {
  const { dedupStore } = await import('./dedup/store.ts');
  return dedupStore(path, options);
}

/** A directory as `skopeo copy` to `dir:` writes it, which holds one image without a name. */
export async function openDir(path: string, options: OpenDirOptions = {}): Promise<ImageStore> {
  const { dirStore } = await import('./dir.ts');
  return dirStore(path, options);
}

async function openRepository(repository: string, { registry, signal }: OpenOptions): Promise<ImageStore> {
  const { registryStore } = await import('./registry/store.ts');
  return registryStore(repository, { ...(signal === undefined ? {} : { signal }), ...registry });
}

/**
 * The local store: an OCI image layout directory (`dedup:DIR`: a deduplicated one) whose names are full ones, empty until it is first
 * written. `containerd:` or `containerd:NAMESPACE/` has a running containerd in its place.
 */
export function localStore(path: string, options: Pick<OpenOptions, 'containerd' | 'signal'> = {}): Promise<ImageStore> {
  if (path.startsWith('dedup:')) return openDedup(path.slice('dedup:'.length), { mayBeNew: true });
  if (path.startsWith('containerd:')) return openContainerd(path.slice('containerd:'.length).replace(/\/$/, ''), options);
  return openDirectory(path, { mayBeNew: true });
}

async function openContainerd(namespace: string | undefined, { containerd, signal }: Pick<OpenOptions, 'containerd' | 'signal'>): Promise<ImageStore> {
  const { containerdStore } = await import('./containerd/store.ts');
  return containerdStore({ ...(signal === undefined ? {} : { signal }), ...containerd, ...(namespace === undefined || namespace === '' ? {} : { namespace }) });
}

/** A docker engine, found as the options say, else as the docker command line finds it. */
export async function openDockerEngine({ dockerEngine, signal, onNote }: Pick<OpenOptions, 'dockerEngine' | 'signal' | 'onNote'>): Promise<DockerEngineStore> {
  const { dockerEngineStore } = await import('./docker-engine/store.ts');
  return dockerEngineStore({ ...(signal === undefined ? {} : { signal }), ...(onNote === undefined ? {} : { onNote }), ...dockerEngine });
}

/** What an archive holds is found by looking, whichever way it is spelled; docker 25 and later write both kinds into one. */
function isArchive({ scheme }: Location): boolean {
  return scheme === 'oci-archive' || scheme === 'docker-archive';
}

function pathOf({ scheme, path }: Location): string {
  if (path !== undefined) return path;
  throw new OciTarError('INVALID_ARGUMENT', `${scheme}: needs a path`);
}
