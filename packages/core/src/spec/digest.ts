import { OciTarError } from '../errors.ts';

/** `algorithm:encoded`, checked against the image-spec's grammar. Comes from `parseDigest` or `formatDigest`. */
export type Digest = `${string}:${string}`;

/** The algorithms that can be computed here; the OCI image-spec's registered ones. */
export type HashAlgorithm = 'sha256' | 'sha512' | 'blake3';

/** Length of the hex digits of each registered algorithm (image-spec, descriptor.md, "Registered algorithms"). */
const hexLengths: Readonly<Record<HashAlgorithm, number>> = { sha256: 64, sha512: 128, blake3: 64 };

/** The spec sets no limit. 255 is the longest file name of common file systems, and each part of a digest becomes one. */
const maxLength = 255;

const grammar = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/;
const usual = /^sha256:[0-9a-f]{64}$/;
const lowerHex = /^[0-9a-f]+$/;

/**
 * Checks a digest by the grammar of the image-spec (descriptor.md, "Digests"). The registered algorithms must also have their
 * exact length in lower-case hex; others pass when they fit the grammar. At most 255 characters. INVALID_DIGEST otherwise.
 */
export function parseDigest(text: string): Digest {
  const problem = digestProblem(text);
  if (problem !== undefined) {
    throw new OciTarError('INVALID_DIGEST', `${quote(text)} is not a digest: ${problem}`, { subject: text.slice(0, maxLength) });
  }
  // The grammar has found the colon.
  return text as Digest;
}

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && digestProblem(text) === undefined;
}

/** The two sides of the colon. */
export function digestParts(digest: Digest): { readonly algorithm: string; readonly encoded: string } {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon), encoded: digest.slice(colon + 1) };
}

/** The digest's algorithm if it can be computed here; content under any other can be listed but not verified. */
export function hashAlgorithm(digest: Digest): HashAlgorithm | undefined {
  const { algorithm } = digestParts(digest);
  return isHashAlgorithm(algorithm) ? algorithm : undefined;
}

export function isHashAlgorithm(text: string): text is HashAlgorithm {
  return Object.hasOwn(hexLengths, text);
}

/** Whether content can be verified against this digest here. */
export function isComputable(digest: Digest): boolean {
  return hashAlgorithm(digest) !== undefined;
}

/** The digest of an algorithm's output in lower-case hex. INVALID_DIGEST where length or digits are wrong. */
export function formatDigest(algorithm: HashAlgorithm, hex: string): Digest {
  return parseDigest(`${algorithm}:${hex}`);
}

/** Where a layout keeps the blob: `blobs/<algorithm>/<encoded>`. Checks the digest again, as the path is used to reach files. */
export function blobPath(digest: Digest): string {
  const { algorithm, encoded } = digestParts(parseDigest(digest));
  return `blobs/${algorithm}/${encoded}`;
}

/** The digest that a path of a layout stands for; undefined where the path is not that of a blob. */
export function digestOfBlobPath(path: string): Digest | undefined {
  const [folder, algorithm, encoded, ...rest] = path.split('/');
  if (folder !== 'blobs' || algorithm === undefined || encoded === undefined || rest.length > 0) return undefined;
  const digest = `${algorithm}:${encoded}`;
  return isDigest(digest) ? digest : undefined;
}

/** Every digest that a text in UTF-8 mentions, whatever the text is. */
export function digestsIn(bytes: Uint8Array): readonly Digest[] {
  const found = new TextDecoder().decode(bytes).match(/[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-zA-Z=_-]{32,255}/g) ?? [];
  return [...new Set(found)].filter(isDigest);
}

/** The first 12 characters after the colon, for people to read. */
export function shortDigest(digest: Digest): string {
  return digestParts(digest).encoded.slice(0, 12);
}

/** What keeps a text from being a digest; undefined where nothing does. */
export function digestProblem(text: string): string | undefined {
  // Almost every digest is one: a TOC has tens of thousands.
  if (usual.test(text)) return undefined;
  if (text.length > maxLength) return `it is longer than ${maxLength} characters`;
  const match = grammar.exec(text);
  if (match === null) return 'it does not have the form algorithm:encoded';
  const [, algorithm = '', encoded = ''] = match;
  if (!isHashAlgorithm(algorithm)) return undefined;
  const length = hexLengths[algorithm];
  if (encoded.length !== length) return `${algorithm} takes ${length} digits, not ${encoded.length}`;
  return lowerHex.test(encoded) ? undefined : `${algorithm} takes lower-case hex digits only`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
