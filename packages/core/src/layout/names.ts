import { OciTarError } from '../errors.ts';
import { annotationKeys, archiveName, isFullReference } from '../spec/annotation.ts';
import type { Annotations } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { isComputable, isDigest } from '../spec/digest.ts';
import { isReference, normalizeName, parseReference } from '../spec/reference.ts';

/**
 * How a layout spells the names of its images.
 * `plain`: the reference as it was given, in `ref.name` (skopeo, umoci, our local store with full names).
 * `archive`: as `ctr images export`: the full name in `io.containerd.image.name`, its tag in `ref.name`; what is no
 * reference by docker's grammar stands in `ref.name` as it is. The name of a referrer is kept where ctr does not look.
 */
export type NameStyle = 'plain' | 'archive';

/** The entry of index.json for an image under a name: other annotations of the descriptor stay. */
export function namedEntry(descriptor: Descriptor, name: string | undefined, style: NameStyle): Descriptor {
  const { annotations, ...rest } = descriptor;
  const { [annotationKeys.refName]: _refName, [annotationKeys.imageName]: _imageName, [annotationKeys.referrerName]: _referrerName, ...others } = annotations ?? {};
  const isReferrer = others[annotationKeys.manifestSubject] !== undefined;
  const all: Annotations = { ...others, ...(isReferrer && name !== undefined && style === 'archive' ? { [annotationKeys.referrerName]: name } : nameAnnotations(name, style)) };
  return Object.keys(all).length === 0 ? rest : { ...rest, annotations: all };
}

function nameAnnotations(name: string | undefined, style: NameStyle): Annotations {
  if (name === undefined) return {};
  if (style === 'plain' || !isFullReference(name) || !isReference(name)) return { [annotationKeys.refName]: name };
  const { tag, digest } = parseReference(name);
  return { [annotationKeys.imageName]: name, [annotationKeys.refName]: tag === undefined || digest !== undefined ? name : tag };
}

/**
 * What an entry of index.json answers to: its names as they are spelled, and its full name as docker would complete it.
 * Empty for an entry without a name.
 */
export function keysOf(entry: Descriptor): readonly string[] {
  const raw = archiveName(entry.annotations);
  const spelled = entry.annotations?.[annotationKeys.refName];
  return raw === undefined ? [] : [...new Set([raw, ...(spelled === undefined ? [] : [spelled]), completed(raw)])];
}

/** What no two entries of an index.json may share: the name, spelled and completed; the digest where there is no name. */
export function primaryKeys(entry: Descriptor): readonly string[] {
  const raw = archiveName(entry.annotations);
  if (raw === undefined) return [entry.digest];
  return isFullReference(raw) ? [completed(raw)] : [raw];
}

/** Whether an entry of index.json is the one that a reference means. */
export function isNamed(entry: Descriptor, reference: string): boolean {
  const keys = keysOf(entry);
  return keys.includes(reference) || (isFullReference(archiveName(entry.annotations) ?? '') && keys.includes(completed(reference)));
}

/** The full name behind a spelling; a spelling that is no reference stands for itself. */
export function completed(name: string): string {
  try {
    return normalizeName(name);
  } catch {
    return name;
  }
}

/**
 * The full name that an archive's entry gets on import, by ctr's rules: a full reference stays, a bare tag becomes
 * `base:tag`. Undefined for an entry without a name, or with a digest for one. INVALID_REFERENCE when the archive's name is none.
 */
export function importedName(raw: string | undefined, base: string): string | undefined {
  // podman save of an image by its ID writes that as its name.
  if (raw === undefined || (isDigest(raw) && isComputable(raw))) return undefined;
  try {
    return normalizeName(isFullReference(raw) ? raw : `${base}:${raw}`);
  } catch (error) {
    throw new OciTarError('INVALID_REFERENCE', `the archive names an image ${JSON.stringify(raw)}, which is not a reference`, {
      cause: error,
      hint: 'Give it another name: oci-tar import in.tar NEW-NAME',
    });
  }
}
