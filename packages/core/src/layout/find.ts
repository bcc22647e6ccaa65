import { distance } from 'fastest-levenshtein';
import { OciTarError } from '../errors.ts';
import type { NamedImage } from '../image/store.ts';
import { archiveName, isFullReference } from '../spec/annotation.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { isDigest } from '../spec/digest.ts';
import { familiarReference, parseReference, repositoryOf } from '../spec/reference.ts';
import { completed, isNamed, primaryKeys } from './names.ts';

/** An entry of index.json as an image under its name. */
export function imageOf(entry: Descriptor): NamedImage {
  const name = archiveName(entry.annotations);
  return name === undefined ? { descriptor: entry } : { name, descriptor: entry };
}

/**
 * The image that a reference means: by its full name, by a tag that only one image has, or by digest (bare, or after a
 * name of the same repository), or as `@N`, the Nth entry from 0. NOT_FOUND with the names that are near, CONFLICT for a tag of several; `where` is for messages.
 */
export function findImage(entries: readonly Descriptor[], reference: string, where: string): NamedImage {
  const [, position] = /^@(\d{1,9})$/.exec(reference) ?? [];
  const counted = position === undefined ? undefined : entries[Number(position)];
  if (counted !== undefined) return imageOf(counted);
  const entry = findEntry(entries, reference, where);
  if (entry !== undefined) return imageOf(entry);
  const found = findDigest(entries, reference);
  if (found === undefined) throw noImage(entries, reference, where);
  return isDigest(reference) ? imageOf(found) : { name: completed(reference), descriptor: found };
}

/** The full name counts first; a tag alone, as archives hold it beside the full name, may stand for one image only. */
export function findEntry(entries: readonly Descriptor[], reference: string, where: string): Descriptor | undefined {
  const whole = new Set([reference, completed(reference)]);
  const found = entries.filter((entry) => isNamed(entry, reference));
  const exact = found.find((entry) => primaryKeys(entry).some((key) => whole.has(key)));
  if (exact !== undefined || new Set(found.map((entry) => entry.digest)).size < 2) return exact ?? found[0];
  const names = found.map((entry) => familiar(archiveName(entry.annotations) ?? entry.digest));
  throw new OciTarError('CONFLICT', `${where} has ${found.length} images with the tag ${reference}`, {
    subject: reference,
    hint: `Say which: ${listed(names, 5)}.`,
  });
}

/** The entry without a name that a digest means. */
export function findNameless(entries: readonly Descriptor[], digest: string): Descriptor | undefined {
  return entries.find((entry) => entry.digest === digest && archiveName(entry.annotations) === undefined);
}

function findDigest(entries: readonly Descriptor[], reference: string): Descriptor | undefined {
  const digest = reference.slice(reference.indexOf('@') + 1);
  if (!isDigest(digest)) return undefined;
  const repository = isDigest(reference) ? undefined : repositoryIn(reference);
  return entries.find((entry) => {
    const name = archiveName(entry.annotations);
    const same = repository === undefined || name === undefined || !isFullReference(name) || repositoryIn(name) === repository;
    return entry.digest === digest && same;
  });
}

/** NOT_FOUND, with the names that are spelled most like the one that is not there. */
export function noImage(entries: readonly Descriptor[], reference: string, where: string): OciTarError {
  const wanted = familiar(reference);
  const names = [...new Set(entries.flatMap((entry) => archiveName(entry.annotations) ?? []).map(familiar))];
  const sorted = names.map((name) => ({ name, far: distance(name, wanted) })).sort((a, b) => a.far - b.far);
  const near = sorted.filter(({ name, far }) => far <= 3 || name.startsWith(wanted.split(':')[0] ?? ''));
  let hint = `It has ${listed(sorted.map(({ name }) => name), 3)}.`;
  if (near.length > 0) hint = `Did you mean ${near.slice(0, 3).map(({ name }) => name).join(' or ')}?`;
  if (names.length === 0) hint = 'It has no named images.';
  return new OciTarError('NOT_FOUND', `${where} has no image ${reference}`, { subject: reference, hint });
}

function listed(names: readonly string[], most: number): string {
  return names.slice(0, most).join(', ') + (names.length > most ? ', …' : '');
}

function familiar(name: string): string {
  try {
    return familiarReference(name);
  } catch {
    return name;
  }
}

function repositoryIn(name: string): string | undefined {
  try {
    return repositoryOf(parseReference(name));
  } catch {
    return undefined;
  }
}
