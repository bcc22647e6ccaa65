import { formatPlatform, isOciTarError, openImage, parsePlatform, shortDigest, watchedStore } from '@oci-tar/core';
import type { ImageStore, Location, OpenedImage } from '@oci-tar/core';
import { note } from './context.ts';
import type { Context } from './context.ts';
import { hostPlatform, textOption } from './options.ts';
import { displayName } from './outcome.ts';
import { imageAt } from './places.ts';
import { shown } from './style.ts';

/** What every command takes that looks into one image. */
export const lookOptions = {
  platform: textOption('Which platform of several; by default the one of this machine'),
} as const;

/** One image of a place, opened, as the library's calls take it. */
export interface Looking {
  readonly request: { readonly source: ImageStore; readonly image: OpenedImage; readonly signal: AbortSignal };
  readonly image: OpenedImage;
  /** For people. */
  readonly name: string;
  /** Bytes of its layers, as they are stored. */
  readonly stored: number;
}

/** How far the reading of images is, from when it is begun. */
export class ReadingProgress {
  readonly #context: Context;
  #begun = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** `total`: bytes of layers that will be read. */
  begin(title: string, total: number): void {
    this.#context.progress.start(title, total);
    this.#begun = true;
  }

  watch(source: ImageStore): ImageStore {
    return watchedStore(source, (count) => {
      if (this.#begun) this.#context.progress.add(count);
    });
  }
}

/** Settles which image is meant: of an index the platform that is asked for, or this machine's where there are several. */
export async function lookAt(context: Context, place: ImageStore, location: Location, platform: string | undefined, reading?: ReadingProgress): Promise<Looking> {
  const named = await imageAt(place, location);
  const source = reading?.watch(place) ?? place;
  const name = displayName(named);
  const wanted = platform === undefined ? undefined : parsePlatform(platform, hostPlatform());
  const image = await openImage(source, named.descriptor, wanted === undefined ? {} : { platform: wanted }).catch(async (error: unknown) => {
    if (wanted !== undefined || !isOciTarError(error, 'CONFLICT')) throw error;
    const host = await openImage(source, named.descriptor, { platform: hostPlatform() }).catch((other: unknown) => {
      throw isOciTarError(other, 'NOT_FOUND') ? error : other;
    });
    note(context, `${name} is for several platforms; this is ${formatPlatform(host.platform)} (--platform takes another)`);
    return host;
  });
  const stored = image.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  return { request: { source, image, signal: context.signal }, image, name, stored };
}

/** What says which image a result is about, under `--json`. */
export function lookedAtJson({ image, name }: Looking): object {
  return { image: name, digest: image.descriptor.digest, platform: formatPlatform(image.platform) };
}

/** A layer as it is called in lists: its number, 1 being the base, and the head of its digest. */
export function layerText({ layers }: OpenedImage, position: number): string {
  const digest = layers[position]?.descriptor.digest;
  return digest === undefined ? '' : `${position + 1}:${shortDigest(digest)}`;
}

export function layerJson({ layers }: OpenedImage, position: number): object {
  const layer = layers[position];
  return { number: position + 1, ...(layer === undefined ? {} : { digest: layer.descriptor.digest, diffID: layer.diffID }) };
}

/**
 * A name out of an image as it can be shown: in one line, and without what steers a terminal or turns the direction of the text
 * (UAX #9).
 */
export function shownPath(text: string): string {
  return shown(text).replace(/[\n\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return character === '\n' ? '\\x0a' : `\\u${code.padStart(4, '0')}`;
  });
}
