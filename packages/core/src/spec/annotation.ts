/** Keys of annotations that have a meaning here. */
export const annotationKeys = {
  /** The name of an entry of a layout's index.json (image-spec, annotations.md). */
  refName: 'org.opencontainers.image.ref.name',
  /** Date and time of creation in RFC 3339. */
  created: 'org.opencontainers.image.created',
  title: 'org.opencontainers.image.title',
  authors: 'org.opencontainers.image.authors',
  description: 'org.opencontainers.image.description',
  url: 'org.opencontainers.image.url',
  documentation: 'org.opencontainers.image.documentation',
  source: 'org.opencontainers.image.source',
  version: 'org.opencontainers.image.version',
  revision: 'org.opencontainers.image.revision',
  vendor: 'org.opencontainers.image.vendor',
  licenses: 'org.opencontainers.image.licenses',
  baseDigest: 'org.opencontainers.image.base.digest',
  baseName: 'org.opencontainers.image.base.name',
  /** containerd: the full name of an archive's entry. Goes before `refName`. */
  imageName: 'io.containerd.image.name',
  /** containerd: the digest that an entry of an archive refers to as its subject. Such an entry is never an image of its own. */
  manifestSubject: 'io.containerd.manifest.subject',
  /** Ours, beside `manifestSubject`: the name that such an entry has in a store, where ctr before 2 would take any name for an image's and unpack it. */
  referrerName: 'oci-tar.referrer.name',
  /** BuildKit: what an entry of an index is instead of an image, such as `attestation-manifest`. */
  referenceType: 'vnd.docker.reference.type',
  /** BuildKit: the digest of the image that such an entry belongs to. */
  referenceDigest: 'vnd.docker.reference.digest',
} as const;

/** containerd: what follows is a registry's host; the value is a comma-separated list of repositories that hold the blob. */
export const distributionSourcePrefix = 'containerd.io/distribution.source.';

/** Annotations of a descriptor, manifest or index. A value may be empty. */
export type Annotations = Readonly<Record<string, string>>;

/** The name under which an archive lists an image, as `ctr images import` reads it, or a referrer: a full reference or a bare tag. */
export function archiveName(annotations: Annotations | undefined): string | undefined {
  return valueOf(annotations, annotationKeys.imageName) ?? valueOf(annotations, annotationKeys.refName) ?? valueOf(annotations, annotationKeys.referrerName);
}

/** Whether a name from an archive is a reference by itself. Without any of `/ : @` it is a tag of some name that the importer chooses. */
export function isFullReference(text: string): boolean {
  return /[/:@]/.test(text);
}

/** Whether an entry of an index accompanies an image (an attestation, a referrer) instead of being one. */
export function isCompanion(annotations: Annotations | undefined): boolean {
  return (
    valueOf(annotations, annotationKeys.manifestSubject) !== undefined ||
    valueOf(annotations, annotationKeys.referenceType) !== undefined
  );
}

/** The repositories that are said to hold a blob, by registry. */
export function distributionSources(annotations: Annotations | undefined): ReadonlyMap<string, readonly string[]> {
  const sources = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(annotations ?? {})) {
    if (!key.startsWith(distributionSourcePrefix)) continue;
    const registry = key.slice(distributionSourcePrefix.length);
    const repositories = value.split(',').filter((repository) => repository !== '');
    if (registry !== '' && repositories.length > 0) sources.set(registry, repositories);
  }
  return sources;
}

function valueOf(annotations: Annotations | undefined, key: string): string | undefined {
  if (annotations === undefined || !Object.hasOwn(annotations, key)) return undefined;
  return annotations[key] === '' ? undefined : annotations[key];
}
