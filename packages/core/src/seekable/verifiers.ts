import { Verifier } from '../bytes/digest.ts';
import { isDigest, isComputable } from '../spec/digest.ts';
import type { Digest } from '../spec/digest.ts';
import type { SeekableChunk } from './entry.ts';
import { invalidToc } from './failures.ts';

/** What every chunk of a layer must be. */
export interface ChunkVerifiers {
  /** One to be fed with the chunk's content and finished: DIGEST_MISMATCH, SIZE_MISMATCH. INVALID_TOC for a chunk of another layer. */
  verifier(chunk: SeekableChunk): Verifier;
}

/**
 * The digest that the TOC promises for a chunk; undefined where there is none. A file of one chunk may have it as the file's.
 */
export function digestOf(chunk: SeekableChunk): Digest | undefined {
  const digest = promisedDigest(chunk);
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}

/** The same as it stands in the TOC, which may be no digest at all. */
export function promisedDigest({ entry, chunkDigest }: SeekableChunk): string | undefined {
  return chunkDigest ?? (entry.chunks.length === 1 ? entry.toc?.digest : undefined);
}

/** INVALID_TOC where a chunk has no digest, or one that cannot be computed here. */
export function chunkVerifiers(chunks: readonly SeekableChunk[]): ChunkVerifiers {
  for (const chunk of chunks) requiredDigest(chunk);
  let known: ReadonlySet<SeekableChunk> | undefined;
  return {
    verifier(chunk) {
      known ??= new Set(chunks);
      if (!known.has(chunk)) throw invalidToc('has no such chunk: it is of another layer', chunk.entry.path);
      return verifierOf(chunk);
    },
  };
}

export function verifierOf(chunk: SeekableChunk): Verifier {
  const { entry, chunkOffset, chunkSize } = chunk;
  return new Verifier({ digest: requiredDigest(chunk), size: chunkSize }, { subject: `the chunk at byte ${chunkOffset} of ${entry.path}` });
}

/** INVALID_TOC where there is none, or one that cannot be computed here. */
export function requiredDigest(chunk: SeekableChunk): Digest {
  const digest = digestOf(chunk);
  if (digest !== undefined && isComputable(digest)) return digest;
  const problem = digest === undefined ? 'no digest' : `a digest of an algorithm that cannot be checked, ${digest},`;
  throw invalidToc(`has ${problem} for its chunk at byte ${chunk.chunkOffset}`, chunk.entry.path);
}
