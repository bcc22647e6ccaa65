import { digestBytes } from '../bytes/digest.ts';
import { OciTarError } from '../errors.ts';
import { withBlobs } from '../image/overlay.ts';
import { isListedReferrer, withoutReferrers } from '../image/referrers.ts';
import type { ImageStore, NamedImage } from '../image/store.ts';
import { importedName } from '../layout/names.ts';
import { isFullReference } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { stringifyJson } from '../spec/json.ts';
import { mediaTypes } from '../spec/media-type.ts';
import { formatReference, isReference, normalizeName, parseReference } from '../spec/reference.ts';

/** Under which names the images of an archive come in, by the rules of `ctr images import`. */
export interface ImportNaming {
  /** A new name for the one image in the archive. Goes alone, or with `indexName`. */
  readonly name?: string;
  /**
   * Completes names that are only a tag (`base:tag`), and leaves out images with a full name that does not begin with it.
   * Without it a bare tag gets `import-YYYY-MM-DD`, as with ctr.
   */
  readonly baseName?: string;
  /** Gives every image the name `base@digest` too, those without a name among them. */
  readonly digests?: boolean;
  /** With `digests`: not those that have a name. */
  readonly skipDigestForNamed?: boolean;
  /** Keeps the archive's own index.json, byte for byte, as an image of this name: an index of all that the archive lists. */
  readonly indexName?: string;
}

/** Something that an archive lists and that does not become an image. */
export interface SkippedImage extends NamedImage {
  /** `nameless`: nothing names it. `other-base`: its name does not begin with the base. `referrer`: it only refers to another image. */
  readonly why: 'nameless' | 'other-base' | 'referrer';
}

export interface ImportSelection {
  /** Where the images are to be read. */
  readonly source: ImageStore;
  /** Under the names that they get. */
  readonly images: readonly NamedImage[];
  readonly skipped: readonly SkippedImage[];
}

/**
 * The images of an archive under the names that they get in the target. NOT_FOUND, saying why, when there is none; CONFLICT for one
 * new name for several images, or one name that the archive gives to several; INVALID_REFERENCE; INVALID_ARGUMENT for
 * options that exclude each other.
 */
export async function importedImages(source: ImageStore, naming: ImportNaming = {}): Promise<ImportSelection> {
  checkNaming(naming);
  const found: NamedImage[] = [];
  for await (const image of source.images()) found.push(image);
  if (found.length === 0) throw noImage(source, `${source.name} holds no image`);
  const selected = naming.name === undefined ? named(found, naming) : { images: [await renamed(found, source, naming.name)], skipped: [] };
  const kept = naming.indexName === undefined ? undefined : await indexImage(source, found, naming.indexName);
  const images = [...selected.images, ...(kept === undefined ? [] : [kept.image])];
  if (images.length === 0) throw nothingNamed(source, selected.skipped, naming.baseName);
  return { source: kept?.source ?? source, images: distinct(images, source.name), skipped: selected.skipped };
}

/** INVALID_ARGUMENT for options that exclude each other. */
export function checkNaming({ name, baseName, digests, skipDigestForNamed }: ImportNaming): void {
  const refused = (message: string) => new OciTarError('INVALID_ARGUMENT', message);
  if (name !== undefined && baseName !== undefined) throw refused('a new name and a base name exclude each other');
  if (name !== undefined && digests === true) throw refused('a new name and names by digest exclude each other');
  if (skipDigestForNamed === true && digests !== true) throw refused('names by digest cannot be left out where none are given');
}

/** The images with their own names, completed, and those by digest. */
function named(found: readonly NamedImage[], { baseName, digests, skipDigestForNamed }: ImportNaming): Omit<ImportSelection, 'source'> {
  const base = baseName ?? `import-${new Date().toISOString().slice(0, 10)}`;
  const images: NamedImage[] = [];
  const skipped: SkippedImage[] = [];
  for (const image of found) {
    const { name: raw, descriptor } = image;
    if (isListedReferrer(image)) {
      skipped.push({ ...image, why: 'referrer' });
      continue;
    }
    if (raw !== undefined && !isFullReference(raw)) checkBase(base, `the tag ${raw}`);
    const name = importedName(raw, base);
    if (name !== undefined && !belongs(name, baseName)) {
      skipped.push({ ...image, why: 'other-base' });
      continue;
    }
    if (name !== undefined) images.push({ name, descriptor });
    if (digests === true && !(name !== undefined && skipDigestForNamed === true)) {
      checkBase(base, 'a digest');
      images.push({ name: normalizeName(`${base}@${descriptor.digest}`), descriptor });
    } else if (name === undefined) skipped.push({ ...image, why: 'nameless' });
  }
  const taken = new Set<string>(images.map(({ descriptor }) => descriptor.digest));
  return { images, skipped: skipped.filter(({ why, descriptor }) => why !== 'nameless' || !taken.has(descriptor.digest)) };
}

/** The one image of an archive. What is listed only because it refers to something else does not count. */
async function renamed(found: readonly NamedImage[], source: ImageStore, name: string): Promise<NamedImage> {
  const own = await withoutReferrers(source, found);
  const digests = new Set(own.map(({ descriptor }) => descriptor.digest));
  const [first] = own;
  if (first !== undefined && digests.size === 1) return { name: normalizeName(name), descriptor: first.descriptor };
  throw new OciTarError('CONFLICT', `${source.name} holds ${digests.size} images; a new name can be given to one only`, {
    side: 'source',
    subject: source.name,
    hint: 'Import them under their own names, or give --base-name.',
  });
}

/** The document that lists the archive's images, as an image. Where it has none of its own (docker's archives) it is made up. */
async function indexImage(source: ImageStore, found: readonly NamedImage[], name: string): Promise<{ readonly source: ImageStore; readonly image: NamedImage }> {
  const bytes = (await source.index?.()) ?? stringifyJson({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: found.map(({ descriptor }) => descriptor) });
  const descriptor: Descriptor = { mediaType: mediaTypes.index, digest: await digestBytes(bytes), size: bytes.byteLength };
  return { source: withBlobs(source, new Map([[descriptor.digest, bytes]])), image: { name: normalizeName(name), descriptor } };
}

/** Each name once. Of two images under one name the other would be lost without a word. */
function distinct(images: readonly NamedImage[], where: string): readonly NamedImage[] {
  const byName = new Map<string | undefined, NamedImage>();
  for (const image of images) {
    const other = byName.get(image.name);
    if (other !== undefined && other.descriptor.digest !== image.descriptor.digest) {
      throw new OciTarError('CONFLICT', `${where} holds different images under the name ${image.name}: ${other.descriptor.digest} and ${image.descriptor.digest}`, {
        side: 'source',
        ...(image.name === undefined ? {} : { subject: image.name }),
        hint: 'Take each by its digest: oci-tar copy oci-archive:FILE:DIGEST store:NAME',
      });
    }
    byName.set(image.name, other ?? image);
  }
  return [...byName.values()];
}

/** Whether a full name begins with the base, as it is written or completed, at a border between its parts. */
function belongs(full: string, baseName: string | undefined): boolean {
  if (baseName === undefined) return true;
  const bases = isReference(baseName) ? [baseName, formatReference(parseReference(baseName))] : [baseName];
  return bases.some((base) => full === base || (full.startsWith(base) && /[/:@]/.test(full.charAt(base.length))));
}

function checkBase(base: string, added: string): void {
  const reference = isReference(base) ? parseReference(base) : undefined;
  if (reference !== undefined && reference.tag === undefined && reference.digest === undefined) return;
  throw new OciTarError('INVALID_REFERENCE', `${base} with ${added} makes no name`, { subject: base, hint: 'A base is a name without tag and digest, such as example.org/app.' });
}

function nothingNamed(source: ImageStore, skipped: readonly SkippedImage[], baseName: string | undefined): OciTarError {
  const others = skipped.filter(({ why }) => why === 'other-base').flatMap(({ name }) => name ?? []);
  if (others.length > 0) {
    const listed = others.slice(0, 5).join(', ') + (others.length > 5 ? ` and ${others.length - 5} more` : '');
    return noImage(source, `no image in ${source.name} belongs to ${baseName}`, `It holds ${listed}.`);
  }
  if (skipped.every(({ why }) => why === 'referrer')) {
    return noImage(source, `${source.name} holds no image, only what refers to some`, 'To have it all the same, give the whole a name: --index-name NAME');
  }
  return noImage(source, `the images in ${source.name} have no names`, 'Give one: oci-tar import in.tar NEW-NAME; or name all by digest: --digests');
}

function noImage(source: ImageStore, message: string, hint?: string): OciTarError {
  return new OciTarError('NOT_FOUND', message, { side: 'source', subject: source.name, ...(hint === undefined ? {} : { hint }) });
}
