import * as v from 'valibot';
import type { Digest } from './digest.ts';
import { mediaTypes } from './media-type.ts';
import type { Platform } from './platform.ts';
import { check, digest, looseFields, size, text, textMap, texts } from './schema.ts';

/** What an image is made of: a reference to content by type, digest and size (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Length of the raw content in bytes. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** The content itself in base64, for small content. Verified against the digest like any other bytes. */
  readonly data?: string;
  readonly platform?: Platform;
  readonly artifactType?: string;
}

export const platformSchema: v.GenericSchema<unknown, Platform> = looseFields({
  architecture: text,
  os: text,
  'os.version': v.exactOptional(text),
  'os.features': v.exactOptional(texts),
  variant: v.exactOptional(text),
  features: v.exactOptional(texts),
});

const known: ReadonlyMap<string, string> = new Map(Object.values(mediaTypes).map((type) => [type, type]));

/** RFC 6838 names, and the parameters that some artifacts put after them. */
const mediaType = v.pipe(
  text,
  v.regex(/^[A-Za-z0-9][\w!#$&^.+-]{0,126}\/[A-Za-z0-9][\w!#$&^.+-]{0,126}(?:[ \t]*;[\t\x20-\x7e]{0,255})?$/, 'is not a media type'),
  // One string for each well-known type instead of one for each of 100,000 descriptors.
  v.transform((text) => known.get(text) ?? text),
);

/** Checks a descriptor; unknown fields survive. Neither the digest's algorithm nor the media type has to be known. */
export const descriptorSchema: v.GenericSchema<unknown, Descriptor> = v.pipe(
  looseFields({
    mediaType,
    digest,
    size,
    urls: v.exactOptional(texts),
    annotations: v.exactOptional(textMap),
    data: v.exactOptional(v.pipe(text, v.check(isBase64, 'is not base64'))),
    platform: v.exactOptional(platformSchema),
    artifactType: v.exactOptional(text),
  }),
  v.check(
    ({ data, size }) => data === undefined || decodedLength(data) === size,
    ({ input: { data, size } }) => `has data of ${decodedLength(data ?? '')} bytes but says ${size}`,
  ),
);

/** Checks a value as a descriptor. `where` names it in messages. INVALID_MANIFEST with the field that does not fit. */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  return check(descriptorSchema, value, where);
}

/** Whether two descriptors stand for the same bytes, whatever their types say. */
export function sameContent(a: Descriptor, b: Descriptor): boolean {
  return a.digest === b.digest && a.size === b.size;
}

/** The content that a parsed descriptor brings along in `data`, unverified. */
export function embeddedData(descriptor: Descriptor): Uint8Array | undefined {
  if (descriptor.data === undefined) return undefined;
  return Uint8Array.from(atob(descriptor.data), (character) => character.charCodeAt(0));
}

function isBase64(data: string): boolean {
  return data.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(data);
}

function decodedLength(data: string): number {
  const padding = data.endsWith('==') ? 2 : data.endsWith('=') ? 1 : 0;
  return (data.length / 4) * 3 - padding;
}
