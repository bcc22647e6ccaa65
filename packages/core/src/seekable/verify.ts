import { createDigester } from '#runtime/digester';
import { OciTarError } from '../errors.ts';
import type { Digester } from '../runtime/digester.ts';
import { emptyDigest } from './empty-digest.ts';
import type { SeekableEntry } from './entry.ts';
import { shown } from './failures.ts';
import type { SeekableLayer } from './open.ts';

/**
 * How far a seekable layer is verified; each level promises what those below it do.
 *
 * 1. The TOC is the one that is vouched for, and every reader reads the same out of it: `openSeekable` and `SeekableLayer.verifyToc`.
 * 2. Every chunk and every file is what the TOC says: `verifyContent`.
 * 3. The tar says the same as the TOC, entry by entry, and blob and diffID are what the image says: a reader that unpacks
 *    the layer sees the tree that a lazy reader sees: `verifyTar`.
 *
 * `verifySeekable` does any of them.
 */
export type VerifyLevel = 1 | 2 | 3;

/** What has been found right. */
export interface VerifiedContent {
  readonly files: number;
  readonly chunks: number;
  /** Bytes of all files. */
  readonly size: number;
}

/**
 * Reads all content of a layer and compares it with the TOC: each chunk, and each file as a whole. DIGEST_MISMATCH; INVALID_TOC where
 * a chunk has no digest. Whether the TOC is to be believed is `verifyToc`'s.
 */
export async function verifyContent(layer: SeekableLayer, options: { readonly signal?: AbortSignal } = {}): Promise<VerifiedContent> {
  layer.verifiers();
  checkEmptyFiles(layer);
  // Where members are on threads these have all cores already.
  const onThreads = layer.parts.decompressor.memberDigester !== undefined;
  let files = 0;
  let size = 0;
  let whole: { readonly entry: SeekableEntry; readonly digester: Digester } | undefined;
  try {
    for await (const verified of layer.verifyChunks(options)) {
      for (const { chunk, bytes } of verified) {
        const { entry } = chunk;
        if (chunk.chunkOffset === 0) {
          files += 1;
          // With one chunk the digests are compared, not the content once more.
          if (entry.chunks.length === 1) checkSame(entry, chunk.chunkDigest ?? entry.toc?.digest);
          else whole = { entry, digester: createDigester('sha256', { size: onThreads ? 0 : entry.size }) };
        }
        size += chunk.chunkSize;
        if (whole?.entry !== entry || bytes === undefined) continue;
        await whole.digester.update(bytes);
        if (chunk.chunkOffset + chunk.chunkSize < entry.size) continue;
        checkSame(entry, `sha256:${await whole.digester.hex()}`);
        whole = undefined;
      }
    }
  } finally {
    whole?.digester.dispose();
  }
  return { files, chunks: layer.chunks.length, size };
}

/** They have no chunk, so that nothing of them is read. */
function checkEmptyFiles(layer: SeekableLayer): void {
  for (const { type, size = 0, digest, name } of layer.toc.entries) {
    if (type !== 'reg' || size > 0 || digest === undefined || digest === emptyDigest) continue;
    const file = layer.entry(name);
    if (file !== undefined) checkSame(file, emptyDigest);
  }
}

/** DIGEST_MISMATCH where the TOC has another digest for the file. */
export function checkSame(entry: SeekableEntry, actual: string | undefined): void {
  const expected = entry.toc?.digest;
  if (expected === undefined || expected === '' || actual === undefined || actual === expected) return;
  throw new OciTarError('DIGEST_MISMATCH', `the content of ${shown(entry.path)} is not what the TOC says: its digest is ${actual}, expected ${expected}`, {
    subject: entry.path,
    expected,
    actual,
  });
}

