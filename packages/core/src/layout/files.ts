import { readSource } from '../bytes/source.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseIndex } from '../spec/image-index.ts';
import type { ImageIndex } from '../spec/image-index.ts';
import { parseJson, stringifyJson } from '../spec/json.ts';
import { defaultLimits } from '../spec/limits.ts';
import type { JsonLimits } from '../spec/limits.ts';
import { mediaTypes } from '../spec/media-type.ts';
import type { ImageDriver } from './driver.ts';

/** The files of a layout that are not blobs (image-spec, image-layout.md). */
export const layoutPath = 'oci-layout';
export const indexPath = 'index.json';

/** Exactly the bytes that ctr writes. */
export const layoutBytes: Uint8Array = stringifyJson({ imageLayoutVersion: '1.0.0' });

/** Whether the medium has been made a layout at all. INVALID_LAYOUT for one of another version than 1.0.0. */
export async function hasLayout(driver: ImageDriver, limits: JsonLimits = defaultLimits): Promise<boolean> {
  const bytes = await readFile(driver, layoutPath, limits);
  if (bytes !== undefined) parseLayout(bytes, driver.name, limits);
  return bytes !== undefined;
}

/** INVALID_LAYOUT unless the medium says that it is an OCI image layout of version 1.0.0. */
export async function checkLayout(driver: ImageDriver, limits: JsonLimits = defaultLimits): Promise<void> {
  if (await hasLayout(driver, limits)) return;
  throw new OciTarError('INVALID_LAYOUT', `${driver.name} is not an OCI image layout: it has no ${layoutPath} file`, { subject: driver.name });
}

/** Checks the content of an `oci-layout` file. INVALID_LAYOUT. */
export function parseLayout(bytes: Uint8Array, subject: string, limits: JsonLimits = defaultLimits): void {
  const layout = parseJson(bytes, { limits, subject: `${subject}: ${layoutPath}` });
  const version = typeof layout === 'object' && layout !== null && 'imageLayoutVersion' in layout ? layout['imageLayoutVersion'] : undefined;
  if (version === '1.0.0') return;
  throw new OciTarError('INVALID_LAYOUT', `${subject} is an image layout of version ${JSON.stringify(version)}; only 1.0.0 is known`, { subject });
}

/** The layout's index.json. INVALID_LAYOUT when there is none. */
export async function readIndex(driver: ImageDriver, limits: JsonLimits = defaultLimits): Promise<ImageIndex> {
  return parseIndex(await readIndexBytes(driver, limits), { mediaType: mediaTypes.index, limits, subject: `${driver.name}: ${indexPath}` });
}

/** The bytes of the layout's index.json. INVALID_LAYOUT when there is none. */
export async function readIndexBytes(driver: ImageDriver, limits: JsonLimits = defaultLimits): Promise<Uint8Array> {
  const bytes = await readFile(driver, indexPath, limits);
  if (bytes === undefined) throw new OciTarError('INVALID_LAYOUT', `${driver.name} has no ${indexPath}`, { subject: driver.name });
  return bytes;
}

/** Replaces the layout's index.json. LIMIT_EXCEEDED, with nothing changed, when it would be longer than `readIndex` reads. */
export async function writeIndex(driver: ImageDriver, entries: readonly Descriptor[], base: Partial<ImageIndex> = {}): Promise<void> {
  const bytes = stringifyJson({ ...base, schemaVersion: 2, mediaType: mediaTypes.index, manifests: entries });
  const limit = defaultLimits.bytes;
  if (bytes.byteLength > limit) {
    throw new OciTarError('LIMIT_EXCEEDED', `${driver.name}: ${indexPath} with ${entries.length} images would have ${bytes.byteLength} bytes, more than the limit of ${limit}`, {
      limit,
      actual: bytes.byteLength,
      subject: driver.name,
      side: 'target',
      hint: 'Remove names that are no longer needed, or use another place.',
    });
  }
  await writeFile(driver, indexPath, bytes);
}

/** Makes the medium an empty layout where it is none yet. INVALID_LAYOUT, before anything is written, for one of another version. */
export async function initLayout(driver: ImageDriver): Promise<void> {
  const isLayout = await hasLayout(driver);
  await driver.init();
  await driver.exclusive(async () => {
    if ((await readFile(driver, indexPath, defaultLimits)) === undefined) await writeIndex(driver, []);
  });
  // Last: it says that this is a layout, and one without index.json is broken, which a process killed in between would leave.
  if (!isLayout && !(await hasLayout(driver))) await writeFile(driver, layoutPath, layoutBytes);
}

export async function writeFile(driver: ImageDriver, path: string, bytes: Uint8Array, mode?: number): Promise<void> {
  const writer = await driver.writer(path, mode === undefined ? {} : { mode });
  try {
    await writer.write(bytes);
    await writer.commit();
  } catch (error) {
    await writer.abort(error);
    throw error;
  }
}

async function readFile(driver: ImageDriver, path: string, limits: JsonLimits): Promise<Uint8Array | undefined> {
  try {
    return await readSource(await driver.reader(path), limits.bytes, `${driver.name}: ${path}`);
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
