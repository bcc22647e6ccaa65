import { readSource } from '../../bytes/source.ts';
import { isOciTarError } from '../../errors.ts';
import type { JsonLimits } from '../../spec/limits.ts';
import type { ImageDriver } from '../driver.ts';
import { entryPath } from '../entry-path.ts';

/** The documents of a docker archive that are at its top. */
export const dockerManifestPath = 'manifest.json';
export const repositoriesPath = 'repositories';

/** A small file whole, by the path that a document gives. NOT_FOUND, UNSAFE_PATH, LIMIT_EXCEEDED. */
export async function readDocumentFile(driver: ImageDriver, path: string, limits: JsonLimits): Promise<Uint8Array> {
  return readSource(await driver.reader(entryPath(path)), limits.bytes, `${driver.name}: ${path}`);
}

/** Whether there is such a file. Where it is a link, errors of following that pass. */
export async function hasFile(driver: ImageDriver, path: string): Promise<boolean> {
  try {
    await driver.reader(path);
    return true;
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND')) return false;
    throw error;
  }
}
