import { isFullReference, isReference, normalizeName, openTarget, parseLocation } from '@oci-tar/core';
import type { CopyEvent, ImageStore, Location, NameStyle, NamedImage } from '@oci-tar/core';
import type { Context } from './context.ts';
import { UsageError } from './failure.ts';
import { familiar } from './outcome.ts';
import { archiveOutput } from './outputs.ts';
import { imageAt, openOptions, placeOf, withSource } from './places.ts';

/** Where an image goes. A word with a colon is a place or a name, never a plain path. `-`: an error with the given hint. */
export function targetOf(word: string, hint: string): Location {
  if (word === '-') throw new UsageError('an image is not written to standard output', hint);
  return word.includes(':') ? parseLocation(word) : placeOf(word);
}

/** Whether a place is a file that is made anew. */
export function isArchive({ scheme }: Location): boolean {
  return scheme === 'oci-archive' || scheme === 'docker-archive';
}

/** Whether a place knows images by full names only. */
export function isByFullName({ scheme }: Location): boolean {
  return scheme === 'store' || scheme === 'containerd' || scheme === 'docker-daemon';
}

/**
 * How an image is called where it goes: in stores by its full name, in directories and archives as it is given, but that an archive's
 * whole name is one that ctr and docker find. Undefined where the place says none.
 */
export function nameAt(target: Location): { readonly name: string | undefined; readonly style: NameStyle } {
  const { scheme, reference } = target;
  if (reference === undefined) return { name: undefined, style: scheme === 'docker-archive' ? 'archive' : 'plain' };
  if (isByFullName(target)) return { name: normalizeName(reference), style: 'plain' };
  if (scheme === 'docker-archive') return { name: normalizeName(reference), style: 'archive' };
  const asArchive = scheme === 'oci-archive' && isFullReference(reference) && isReference(reference);
  return asArchive ? { name: normalizeName(reference), style: 'archive' } : { name: reference, style: 'plain' };
}

/** An image that was made, in one line. */
export function newImageText({ name, descriptor }: NamedImage): string {
  return `${name === undefined ? '<none>' : familiar(name)}  ${descriptor.digest}\n`;
}

/** A place for an image that is to be made: how it is called there, and how the place is opened. */
export interface NewImage {
  /** Null: it is listed without a name. */
  readonly name: string | null;
  open(): Promise<ImageStore>;
}

/** Reads where an image goes that is to be made; a terminal, a directory in the place of a file and a missing name are refused at once. */
export function newImageAt(context: Context, word: string, hint: string): NewImage {
  const location = targetOf(word, hint);
  if (isArchive(location)) archiveOutput(context, location.path ?? '');
  const { name, style } = nameAt(location);
  if (name === undefined && isByFullName(location)) throw new UsageError('the new image has no name', `Write it after the colon: ${location.scheme}:NAME`);
  return { name: name ?? null, open: () => openTarget(location, { ...openOptions(context), style }) };
}

/** What every verb is told that makes an image of another one. */
export interface Remake {
  readonly source: ImageStore;
  readonly reference: string;
  readonly target: ImageStore;
  readonly name: string | null;
  readonly signal: AbortSignal;
  readonly onEvent: (event: CopyEvent) => void;
}

/** Opens where an image is and where the new one goes, has it made, and closes both, whatever became of it. `doing` is what the progress is called. */
export async function remake<R>(context: Context, word: string, made: NewImage, doing: string, make: (request: Remake) => Promise<R>): Promise<R> {
  const place = placeOf(word);
  return withSource(context, place, async (source) => {
    const image = await imageAt(source, place);
    const target = await made.open();
    context.progress.start(doing);
    const reference = place.reference ?? image.name ?? image.descriptor.digest;
    return make({ source, reference, target, name: made.name, signal: context.signal, onEvent: (event) => context.progress.event(event) }).finally(() => target.close());
  });
}
