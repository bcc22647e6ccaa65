import { OciTarError } from '../errors.ts';
import { dockerManifestPath, hasFile, repositoriesPath } from './docker/files.ts';
import { legacyIds } from './docker/legacy.ts';
import type { ImageDriver } from './driver.ts';
import { indexPath, layoutPath } from './files.ts';

/** Folders at the top of a root file system. */
const rootFolders: ReadonlySet<string> = new Set(['bin', 'dev', 'etc', 'home', 'lib', 'lib64', 'opt', 'proc', 'root', 'run', 'sbin', 'srv', 'sys', 'usr', 'var']);

/** So many names of an archive are told in a message. */
const mostNamed = 5;

/**
 * What kind of image archive this is. An OCI layout goes first: docker 25 and later write both.
 * INVALID_LAYOUT, with a hint at what is there instead.
 */
export async function archiveKind(driver: ImageDriver): Promise<'oci' | 'docker'> {
  if (await hasFile(driver, layoutPath)) return 'oci';
  for (const path of [dockerManifestPath, repositoriesPath]) if (await hasFile(driver, path)) return 'docker';
  if ((await legacyIds(driver)).length > 0) return 'docker';
  const paths: string[] = [];
  for await (const { path } of driver.list()) paths.push(path);
  throw noImages(driver.name, paths);
}

/** INVALID_LAYOUT for an archive with these files. */
export function noImages(archive: string, paths: readonly string[]): OciTarError {
  const hint = hintFor(paths);
  const why = paths.includes(indexPath) ? `it has an ${indexPath}, but no ${layoutPath}` : `it has neither ${layoutPath} nor docker's ${dockerManifestPath} or ${repositoriesPath}`;
  return new OciTarError('INVALID_LAYOUT', `${archive} is not an image archive: ${why}`, { subject: archive, side: 'source', ...(hint !== undefined && { hint }) });
}

/** Whether these names at the top of an archive are those of a root file system. */
export function isRootFileSystem(tops: ReadonlySet<string>): boolean {
  let count = 0;
  for (const top of tops) if (rootFolders.has(top)) count += 1;
  return count >= 3;
}

function hintFor(paths: readonly string[]): string | undefined {
  const tops = new Set(paths.map((path) => path.split('/', 1)[0] ?? ''));
  if (isRootFileSystem(tops)) return 'It looks like a root file system, as docker export writes it. To make an image of it: oci-tar create NAME --layer FILE';
  const inside = paths.find((path) => /\.(?:tar|tgz|tar\.gz|tar\.zst)$/i.test(path));
  if (inside !== undefined && paths.length < 10) return `It holds ${inside}: unpack it and try that.`;
  if (tops.size === 0) return 'It holds no files.';
  return `It holds ${[...tops].slice(0, mostNamed).join(', ')}${tops.size > mostNamed ? ', …' : ''}.`;
}
