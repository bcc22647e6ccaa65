import { digestBytes } from '../../bytes/digest.ts';
import { readSource } from '../../bytes/source.ts';
import { OciTarError, isOciTarError } from '../../errors.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { digestParts, isDigest, isComputable } from '../../spec/digest.ts';
import type { Digest } from '../../spec/digest.ts';
import { isDocumentType } from '../../spec/document.ts';
import { parseJson } from '../../spec/json.ts';
import { defaultLimits } from '../../spec/limits.ts';
import { mediaTypes } from '../../spec/media-type.ts';
import type { ImageDriver } from '../driver.ts';

/** The files of a directory as `skopeo copy` to `dir:` writes it, beside blobs and signatures. */
export const dirManifestPath = 'manifest.json';
export const dirVersionPath = 'version';

const version = /^Directory Transport Version: (\d{1,3}\.\d{1,3})\n?$/;
export const dirVersionBytes: Uint8Array = new TextEncoder().encode('Directory Transport Version: 1.1\n');

/** In bytes; the known ones have 33. */
const versionLimit = 256;

/** Of sha256, blake3 and sha512; the later version 1.2 puts the algorithm before the digits where that is not sha256. */
const named = /^(?:([a-z0-9]+)-)?([0-9a-f]{64}|[0-9a-f]{128})((?:\.manifest\.json)?|\.signature-\d{1,9})$/;

/** Whether the medium has been made such a directory at all. INVALID_LAYOUT for a `version` that is not known. */
export async function hasDirVersion(driver: ImageDriver): Promise<boolean> {
  const bytes = await readFile(driver, dirVersionPath, versionLimit);
  if (bytes === undefined) return false;
  const [, number] = version.exec(new TextDecoder().decode(bytes)) ?? [];
  if (number === '1.1' || number === '1.2') return true;
  const found = number === undefined ? 'a file "version" of some other kind' : `version ${number}`;
  throw new OciTarError('INVALID_LAYOUT', `${driver.name} has ${found}; of directories as skopeo writes them, 1.1 and 1.2 are known`, { subject: driver.name });
}

export interface DirRoot {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** The manifest or index in `manifest.json`; undefined where there is none. LIMIT_EXCEEDED, INVALID_JSON, INVALID_MANIFEST, UNSUPPORTED. */
export async function readDirRoot(driver: ImageDriver): Promise<DirRoot | undefined> {
  const bytes = await readFile(driver, dirManifestPath, defaultLimits.bytes);
  if (bytes === undefined) return undefined;
  const mediaType = typeOf(bytes, `${driver.name}: ${dirManifestPath}`);
  return { descriptor: { mediaType, digest: await digestBytes(bytes), size: bytes.byteLength }, bytes };
}

/** What a document says it is. One that does not say is an index where it lists manifests: its parser finds out the rest. */
function typeOf(bytes: Uint8Array, subject: string): string {
  const document = parseJson(bytes, { subject });
  if (typeof document !== 'object' || document === null || !('schemaVersion' in document)) {
    throw new OciTarError('INVALID_MANIFEST', `${subject} is neither a manifest nor an index: it has no schemaVersion`, { subject });
  }
  const { schemaVersion, mediaType = schemaVersion === 1 ? mediaTypes.dockerSchema1 : 'manifests' in document ? mediaTypes.index : mediaTypes.manifest } = document;
  if (typeof mediaType === 'string' && isDocumentType(mediaType)) return mediaType;
  throw new OciTarError('INVALID_MANIFEST', `${subject} is of type ${JSON.stringify(mediaType)}, which is neither a manifest nor an index`, { subject });
}

/** Where a blob is written: by its bare digits, a manifest or index with an ending. UNSUPPORTED where the digest cannot be checked. */
export function dirPathOf(digest: Digest, isDocument: boolean): string {
  // What is not known to be hex could be called `version`.
  if (isComputable(digest)) return `${digestParts(digest).encoded}${isDocument ? `.${dirManifestPath}` : ''}`;
  throw new OciTarError('UNSUPPORTED', `${digest} is of an algorithm that cannot be checked here`, { subject: digest });
}

/** Where a blob may lie, the likeliest first. */
export function dirPathsOf(digest: Digest, isDocument: boolean): readonly string[] {
  if (!isComputable(digest)) return [];
  const { algorithm, encoded } = digestParts(digest);
  return [isDocument, !isDocument].flatMap((document) => {
    const path = dirPathOf(digest, document);
    return algorithm === 'sha256' ? [path] : [path, path.replace(encoded, `${algorithm}-${encoded}`)];
  });
}

/** The digest that a file of such a directory is named by, and what the file is; undefined for any other. */
export function dirFileOf(path: string): { readonly digest: Digest; readonly kind: 'blob' | 'manifest' | 'signature' } | undefined {
  const [, algorithm, hex = '', ending] = named.exec(path) ?? [];
  const digest = `${algorithm ?? (hex.length === 64 ? 'sha256' : 'sha512')}:${hex}`;
  if (!isDigest(digest)) return undefined;
  return { digest, kind: ending === '' ? 'blob' : ending === `.${dirManifestPath}` ? 'manifest' : 'signature' };
}

/** Whether a file is a signature of what `manifest.json` holds. */
export function isRootSignature(path: string): boolean {
  return /^signature-\d{1,9}$/.test(path);
}

async function readFile(driver: ImageDriver, path: string, limit: number): Promise<Uint8Array | undefined> {
  try {
    return await readSource(await driver.reader(path), limit, `${driver.name}: ${path}`);
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
