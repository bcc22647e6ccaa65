import { digestBytes } from '../bytes/digest.ts';
import { OciTarError, isOciTarError } from '../errors.ts';
import { roleOf } from '../image/children.ts';
import { withBlobs } from '../image/overlay.ts';
import { openBlob, readBlob, readDocument } from '../image/read.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { annotationKeys, isCompanion } from '../spec/annotation.ts';
import type { Annotations } from '../spec/annotation.ts';
import { parseConfig, platformOf } from '../spec/config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { stringifyJson } from '../spec/json.ts';
import type { JsonObject } from '../spec/json.ts';
import { defaultLimits } from '../spec/limits.ts';
import { isConfigType, isIndexType, mediaTypes } from '../spec/media-type.ts';
import { formatPlatform, normalizePlatform } from '../spec/platform.ts';
import type { Platform } from '../spec/platform.ts';
import { objectIn, parseRaw, withField } from './json.ts';

/** An index that is being put together. */
export interface EditedIndex {
  /** The index's own fields, but for its children. */
  readonly document: JsonObject;
  readonly children: readonly Descriptor[];
}

export const newIndex: EditedIndex = { document: { schemaVersion: 2, mediaType: mediaTypes.index }, children: [] };

/** An index that is there, to be changed. CONFLICT for an image that is none. */
export async function readEditedIndex(store: ImageStore, { name, descriptor }: NamedImage): Promise<EditedIndex> {
  const where = name ?? descriptor.digest;
  if (!isIndexType(descriptor.mediaType)) {
    throw new OciTarError('CONFLICT', `${where} is an image for one platform and no index`, { subject: where, hint: 'Make an index of it: oci-tar index create NEW-NAME IMAGE…' });
  }
  const document = await readDocument(store, descriptor);
  const raw = parseRaw(await readBlob(store, descriptor), { subject: descriptor.digest });
  return { document: raw, children: document?.kind === 'index' ? document.index.manifests : [] };
}

/**
 * What an image brings into an index: itself, with the platform that its config states, or the children of an index that are
 * here, attestations included. INVALID_ARGUMENT for what states no platform.
 */
export async function childrenOfImage(store: ImageStore, { name, descriptor }: NamedImage): Promise<readonly Descriptor[]> {
  const where = name ?? descriptor.digest;
  const document = await readDocument(store, descriptor);
  if (document?.kind === 'index') {
    const here: Descriptor[] = [];
    for (const child of document.index.manifests) if (await isHere(store, child)) here.push(child);
    return here;
  }
  if (document === undefined || !isConfigType(document.manifest.config.mediaType)) {
    throw new OciTarError('INVALID_ARGUMENT', `${where} is no image, so it says no platform`, { subject: where });
  }
  const { mediaType, digest, size } = descriptor;
  const config = parseConfig(await readBlob(store, document.manifest.config), { subject: document.manifest.config.digest });
  return [{ mediaType, digest, size, platform: platformOf(config) }];
}

/**
 * Adds children. One that is there already is left as it is. CONFLICT for another image of a platform that is taken; with
 * `replace` it takes the place of the old one, whose attestations go.
 */
export function withChildren({ document, children }: EditedIndex, added: readonly Descriptor[], replace: boolean): EditedIndex {
  let result = children;
  for (const child of added) {
    if (result.some(({ digest }) => digest === child.digest)) continue;
    const key = keyOf(child);
    const old = key === undefined ? undefined : result.find((one) => keyOf(one) === key);
    if (old === undefined) result = [...result, child];
    else if (replace) result = result.filter((one) => describedBy(one) !== old.digest).map((one) => (one === old ? child : one));
    else {
      throw new OciTarError('CONFLICT', `there are two images for ${key}: ${old.digest} and ${child.digest}`, {
        ...(key === undefined ? {} : { subject: key }),
        hint: 'Leave one out, or give --replace.',
      });
    }
  }
  return { document, children: result };
}

/** Takes children out, with the attestations that describe them: by digest or by platform. NOT_FOUND when there is none. */
export function withoutChildren({ document, children }: EditedIndex, what: { readonly digest: string } | { readonly platform: Platform }): EditedIndex {
  const wanted = 'digest' in what ? what.digest : formatPlatform(normalizePlatform(what.platform));
  const gone = new Set<string>(children.filter((child) => ('digest' in what ? child.digest === wanted : keyOf(child) === wanted)).map(({ digest }) => digest));
  if (gone.size === 0) {
    const has = children.flatMap((child) => keyOf(child) ?? []);
    throw new OciTarError('NOT_FOUND', `the index lists nothing for ${wanted}`, { subject: wanted, hint: has.length === 0 ? 'It names no platforms.' : `It has ${has.join(', ')}.` });
  }
  return { document, children: children.filter((child) => !gone.has(child.digest) && !gone.has(describedBy(child) ?? '')) };
}

/** Sets annotations of the index itself. */
export function withAnnotations({ document, children }: EditedIndex, annotations: Annotations): EditedIndex {
  if (Object.keys(annotations).length === 0) return { document, children };
  return { document: withField(document, 'annotations', { ...objectIn(document, 'annotations'), ...annotations }), children };
}

/** The index as bytes, beside what the store has. The same children in the same order give the same bytes. */
export async function finishedIndex(store: ImageStore, { document, children }: EditedIndex): Promise<{ readonly descriptor: Descriptor; readonly source: ImageStore }> {
  // docker's list may hold docker's manifests only.
  const docker = document['mediaType'] === mediaTypes.dockerIndex && children.every((child) => child.mediaType === mediaTypes.dockerManifest);
  const mediaType = docker ? mediaTypes.dockerIndex : mediaTypes.index;
  const bytes = stringifyJson({ ...document, mediaType, manifests: children });
  if (bytes.byteLength > defaultLimits.bytes) {
    throw new OciTarError('LIMIT_EXCEEDED', `the index would have ${bytes.byteLength} bytes, more than the limit of ${defaultLimits.bytes}`, { limit: defaultLimits.bytes, actual: bytes.byteLength });
  }
  const digest = await digestBytes(bytes);
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, source: withBlobs(store, new Map([[digest, bytes]])) };
}

/** What no two children may share; undefined for what is no image of a platform. */
function keyOf({ platform, mediaType, digest, size, annotations }: Descriptor): string | undefined {
  const isImage = roleOf({ mediaType, digest, size }) === 'manifest' && !isCompanion(annotations);
  return platform === undefined || !isImage || platform.os === 'unknown' ? undefined : formatPlatform(normalizePlatform(platform));
}

function describedBy(child: Descriptor): string | undefined {
  return child.annotations?.[annotationKeys.referenceDigest];
}

async function isHere(store: ImageStore, descriptor: Descriptor): Promise<boolean> {
  try {
    await openBlob(store, descriptor);
    return true;
  } catch (error) {
    if (isOciTarError(error, 'NOT_FOUND')) return false;
    throw error;
  }
}
