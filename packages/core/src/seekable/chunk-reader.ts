import { ByteReader } from '../bytes/reader.ts';
import { collect } from '../bytes/source.ts';
import type { ByteSource } from '../bytes/types.ts';
import { OciTarError } from '../errors.ts';
import type { SeekableChunk } from './entry.ts';
import { invalidToc } from './failures.ts';
import type { Decompressor } from './format.ts';
import { digestOf, requiredDigest, verifierOf } from './verifiers.ts';

/** A chunk with its content, verified where the TOC has a digest for it. */
export interface ReadChunk {
  readonly chunk: SeekableChunk;
  readonly bytes: Uint8Array;
}

export interface ChunkReading {
  readonly blob: ByteSource;
  readonly decompressor: Decompressor;
  /** Bytes that may have to be decompressed to have one chunk. */
  readonly memberLimit: number;
  /** Chunks without a digest are read all the same. */
  readonly unverified: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * The content of these chunks, which are in the order of the blob: one ranged read from the first to the last, and nothing of it is handed
 * out before its digest is right. Members between them are not decompressed.
 */
export async function* readChunks(chunks: readonly SeekableChunk[], reading: ChunkReading): AsyncGenerator<ReadChunk, void, void> {
  const [first] = chunks;
  const last = chunks.at(-1);
  if (first === undefined || last === undefined) return;
  checkChunks(chunks, reading);
  const reader = new ByteReader(reading.blob.read(first.offset, last.nextOffset), first.offset);
  try {
    for (let at = 0; at < chunks.length; ) {
      const start = chunks[at];
      if (start === undefined) return;
      let end = at + 1;
      while (chunks[end]?.offset === start.offset) end += 1;
      await reader.skip(start.offset - reader.offset);
      yield* readMember(reader, chunks.slice(at, end), reading);
      at = end;
    }
  } finally {
    await reader.close();
  }
}

/** A member of up to so many bytes is first tried whole. */
const smallMember = 128 * 1024;

/** Chunks of one member, at whose start `blob` is. */
export async function* readMember(blob: ByteReader, chunks: readonly SeekableChunk[], reading: ChunkReading): AsyncGenerator<ReadChunk, void, void> {
  const { decompressor, signal } = reading;
  const [first] = chunks;
  const last = chunks.at(-1);
  if (first === undefined || last === undefined) return;
  const size = first.nextOffset - blob.offset;
  const small = size <= smallMember ? decompressor.smallMember?.(await blob.peek(size)) : undefined;
  if (small !== undefined && small.length >= last.innerOffset + last.chunkSize) {
    for (const chunk of chunks) {
      signal?.throwIfAborted();
      const bytes = small.subarray(chunk.innerOffset, chunk.innerOffset + chunk.chunkSize);
      await verify(chunk, bytes);
      yield { chunk, bytes };
    }
    return;
  }
  const member = new ByteReader(decompressor.reader(blob.stream(size)));
  try {
    for (const chunk of chunks) {
      signal?.throwIfAborted();
      await member.skip(chunk.innerOffset - member.offset);
      const bytes = await content(member, chunk);
      await verify(chunk, bytes);
      yield { chunk, bytes };
    }
  } finally {
    await member.close();
  }
}

async function verify(chunk: SeekableChunk, bytes: Uint8Array): Promise<void> {
  if (digestOf(chunk) === undefined) return;
  const verifier = verifierOf(chunk);
  await verifier.update(bytes);
  await verifier.finish();
}

async function content(member: ByteReader, chunk: SeekableChunk): Promise<Uint8Array> {
  const from = member.offset;
  const parts = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for (let left = chunk.chunkSize; left > 0; ) {
      const run = await member.run(left);
      if (run === undefined) {
        throw invalidToc(`has ${chunk.chunkSize} bytes at byte ${chunk.innerOffset} of the member at ${chunk.offset}, which ends before`, chunk.entry.path, {
          offset: chunk.offset,
          expected: chunk.chunkSize,
          actual: member.offset - from,
        });
      }
      left -= run.length;
      yield run;
    }
  };
  return collect(parts(), chunk.chunkSize, chunk.entry.path);
}

/** What can be said before anything is read. LIMIT_EXCEEDED; INVALID_TOC for a chunk without a digest. */
export function checkChunks(chunks: readonly SeekableChunk[], reading: ChunkReading): void {
  checkLimits(chunks, reading);
  if (reading.unverified) return;
  // For its error, where there is no digest.
  for (const chunk of chunks) requiredDigest(chunk);
}

/** LIMIT_EXCEEDED where more would have to be decompressed than is allowed. */
export function checkLimits(chunks: readonly SeekableChunk[], { memberLimit }: ChunkReading): void {
  for (const { entry, innerOffset, chunkSize } of chunks) {
    if (innerOffset + chunkSize <= memberLimit) continue;
    throw new OciTarError('LIMIT_EXCEEDED', `to read ${entry.path}, ${innerOffset + chunkSize} bytes would have to be decompressed, more than the limit of ${memberLimit}`, {
      limit: memberLimit,
      actual: innerOffset + chunkSize,
      subject: entry.path,
    });
  }
}
