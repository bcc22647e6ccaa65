import type { ByteSource } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { Digest } from '../spec/digest.ts';
import { expectChunks } from './chunk-verification.ts';
import { externalTocDecompressor } from './formats/external-toc.ts';
import type { ExternalToc } from './formats/external-toc.ts';
import { openLayer } from './open.ts';
import type { OpenSeekableOptions } from './open.ts';
import { verifyTar } from './verify-tar.ts';
import { verifyContent } from './verify.ts';
import type { VerifyLevel } from './verify.ts';

export interface VerifySeekableOptions extends Omit<OpenSeekableOptions, 'telemetry' | 'unverified'> {
  /** How far; 3 by default. */
  readonly level?: VerifyLevel;
  /** What the TOC must be, by the annotation of the layer's descriptor. */
  readonly tocDigest?: Digest;
  /** Of the blob. Only level 3 reads all of it: INVALID_ARGUMENT below. */
  readonly digest?: Digest;
  /** Of the blob, decompressed. INVALID_ARGUMENT below level 3. */
  readonly diffID?: Digest;
  /** The TOC of a layer that has it elsewhere. */
  readonly externalToc?: ExternalToc;
}

/** What has been found right. */
export interface VerifiedSeekable {
  readonly level: VerifyLevel;
  /** The format's name: `estargz`. */
  readonly format: string;
  /** Of the TOC that was read. Whether it is to be believed only `tocDigest` of the options decides. */
  readonly tocDigest: Digest;
  /** From level 2 on. */
  readonly content?: { readonly files: number; readonly chunks: number; /** Bytes of all files. */ readonly size: number };
  /** At level 3. */
  readonly tar?: { readonly digest: Digest; readonly diffID: Digest; /** Bytes of the blob, decompressed. */ readonly size: number };
}

/**
 * Verifies a seekable layer, as far as `level` says (`VerifyLevel`); at level 3 in one pass over the blob.
 * INVALID_TOC where the TOC is none that all readers would read alike, or (level 3) does not say what the tar says; DIGEST_MISMATCH where TOC, content, blob or diffID are
 * not what they should be; INVALID_JSON, INVALID_COMPRESSION, INVALID_TAR, LIMIT_EXCEEDED.
 */
export async function verifySeekable(blob: ByteSource, options: VerifySeekableOptions = {}): Promise<VerifiedSeekable> {
  const { level = 3, tocDigest, digest, diffID, externalToc, signal } = options;
  if (level < 3 && (digest !== undefined || diffID !== undefined)) {
    throw new OciTarError('INVALID_ARGUMENT', `a blob's digest and diffID are compared at level 3, not at level ${level}, which does not read all of it`);
  }
  const decompressors = [...(options.decompressors ?? []), ...(externalToc === undefined ? [] : [externalTocDecompressor(externalToc)])];
  const layer = await openLayer(blob, { ...options, decompressors }, level === 2 ? expectChunks : undefined);
  if (tocDigest === undefined) layer.verifiers();
  else layer.verifyToc(tocDigest);
  const verified = { level, format: layer.parts.decompressor.name, tocDigest: layer.tocDigest };
  const abortable = signal === undefined ? {} : { signal };
  if (level === 1) return verified;
  if (level === 2) return { ...verified, content: await verifyContent(layer, abortable) };
  const { tocLimit } = options;
  const expected = { ...(tocLimit === undefined ? {} : { tocLimit }), ...(digest === undefined ? {} : { digest }), ...(diffID === undefined ? {} : { diffID }) };
  return { ...verified, ...(await verifyTar(layer, { ...expected, ...abortable })) };
}
