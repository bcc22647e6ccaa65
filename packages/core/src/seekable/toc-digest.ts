import { parseDigest } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import { invalidToc } from './failures.ts';
import { manifestChecksumAnnotations } from './formats/zstd-chunked-bytes.ts';
import { tocDigestAnnotation } from './toc.ts';

/**
 * By which digest the annotations of a layer's descriptor vouch for its TOC, of whatever format; undefined where they do not. For `SeekableLayer.verifyToc`.
 * INVALID_TOC where they speak of two formats at once, INVALID_DIGEST.
 */
export function tocDigestOf(annotations: Readonly<Record<string, string>> = {}): Digest | undefined {
  const ofStargz = annotations[tocDigestAnnotation];
  const ofSecond = annotations[manifestChecksumAnnotations[2]];
  // containers-storage refuses them too: which TOC counts would be up to the reader.
  if (ofStargz !== undefined && ofSecond !== undefined) throw invalidToc('has two digests by the annotations of its layer, one as eStargz and one as zstd:chunked');
  const digest = ofStargz ?? ofSecond ?? annotations[manifestChecksumAnnotations[1]];
  return digest === undefined ? undefined : parseDigest(digest);
}
