import { digestBytes } from '../../bytes/digest.ts';
import { OciTarError } from '../../errors.ts';
import { parseConfig } from '../../spec/config.ts';
import { digestOfBlobPath, isDigest } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import type { JsonLimits } from '../../spec/limits.ts';
import { isForeignType } from '../../spec/media-type.ts';
import type { ImageDriver } from '../driver.ts';
import { entryPath } from '../entry-path.ts';
import { dockerManifestPath, readDocumentFile } from './files.ts';
import { parseDockerManifest } from './manifest.ts';
import type { DockerItem } from './manifest.ts';
import type { ImageParts } from './parts.ts';

export interface PartsOptions {
  readonly limits: JsonLimits;
  readonly onNote?: (note: string) => void;
}

/** The images that `manifest.json` lists (docker 1.10 and later, and whoever writes for it). */
export async function manifestParts(driver: ImageDriver, options: PartsOptions): Promise<readonly ImageParts[]> {
  const subject = `${driver.name}: ${dockerManifestPath}`;
  const items = parseDockerManifest(await readDocumentFile(driver, dockerManifestPath, options.limits), { limits: options.limits, subject });
  const parts: ImageParts[] = [];
  for (const item of items) parts.push(await partsOf(driver, item, options));
  return parts;
}

async function partsOf(driver: ImageDriver, item: DockerItem, { limits, onNote }: PartsOptions): Promise<ImageParts> {
  const subject = `${driver.name}: ${item.Config}`;
  const config = await readDocumentFile(driver, item.Config, limits);
  checkName(entryPath(item.Config), await digestBytes(config), subject, onNote);
  const diffIDs = parseConfig(config, { limits, subject }).rootfs.diff_ids;
  if (diffIDs.length !== item.Layers.length) {
    throw new OciTarError('INVALID_MANIFEST', `${subject} has ${diffIDs.length} diffIDs, but ${dockerManifestPath} gives the image ${item.Layers.length} layers`, {
      subject,
      expected: diffIDs.length,
      actual: item.Layers.length,
    });
  }
  const layers = diffIDs.map((diffID, position) => {
    const source = Object.hasOwn(item.LayerSources, diffID) ? item.LayerSources[diffID] : undefined;
    const foreign = source !== undefined && isForeignType(source.mediaType) && (source.urls?.length ?? 0) > 0;
    // As many paths as diffIDs, as was just seen.
    return { path: item.Layers[position] ?? '', diffID, ...(foreign && { elsewhere: source }) };
  });
  return { subject, names: item.RepoTags, config, layers };
}

/**
 * A name that is a digest must be the file's own. `<hex>.json` is docker's name for the image ID, but docker does not hold to
 * it, and there are archives whose configs were edited in place: these are told of.
 */
function checkName(path: string, actual: Digest, subject: string, onNote: PartsOptions['onNote']): void {
  const named = isDigest(path) ? path : digestOfBlobPath(path);
  if (named !== undefined && named !== actual) {
    throw new OciTarError('DIGEST_MISMATCH', `${subject} is damaged or not what it is called: its digest is ${actual}`, { expected: named, actual, subject });
  }
  const [, hex] = /(?:^|\/)([0-9a-f]{64})\.json$/.exec(path) ?? [];
  if (hex !== undefined && actual !== `sha256:${hex}`) onNote?.(`${subject} was changed after it got its name: the image ID is ${actual}`);
}
