import { memberParallelism } from '#runtime/member-digests';
import { ByteReader } from '../bytes/reader.ts';
import type { DigestedPart, MemberToDigest } from '../runtime/engines.ts';
import { checkChunks, readChunks, readMember } from './chunk-reader.ts';
import type { ChunkReading } from './chunk-reader.ts';
import type { SeekableChunk } from './entry.ts';
import type { BlobParts } from './footer.ts';
import type { Decompressor } from './format.ts';
import { ordered } from '../runtime/ordered.ts';
import { promisedDigest } from './verifiers.ts';

/** A chunk whose content is what its digest says. */
export interface VerifiedChunk {
  readonly chunk: SeekableChunk;
  /** Its content, where the file has more than one chunk. */
  readonly bytes?: Uint8Array;
}

/** What one thread is given at once: a message costs 50 µs on both sides, an average member 100. */
const batchSize = 256 * 1024;
const mostMembers = 500;
/** Members of more than this, compressed or not, are read as a stream. */
const largest = 8 * 1024 * 1024;
/** What a member may have beside what the TOC tells of: padding, and the headers of what has no content. */
const besides = 1024 * 1024;
/** A thread takes 30 ms to start: less than this is read before one would have. */
const worthThreads = 1024 * 1024;
/** From here on the threads are worth starting before it is known what is in the layer. */
const surelyWorthThreads = 8 * worthThreads;

/** All chunks of a layer will be verified: threads for it start while its TOC is read, which takes as long. */
export function expectChunks({ decompressor, payloadSize }: BlobParts): void {
  if (payloadSize >= surelyWorthThreads) decompressor.expectMembers?.();
}

/** One member with all its chunks. */
interface Member {
  readonly chunks: readonly SeekableChunk[];
  readonly start: number;
  readonly end: number;
  readonly small: boolean;
}

interface Batch {
  readonly size: number;
  readonly members: readonly (Member & { readonly bytes: Uint8Array })[];
}

/**
 * Verifies chunks, which are in the order of the blob, over the cores; errors as in `readChunks`, for the first chunk that is not right. A member that is not
 * plainly right is read once more, in the way that finds out what is wrong.
 */
export async function* verifyChunks(chunks: readonly SeekableChunk[], reading: ChunkReading): AsyncGenerator<VerifiedChunk, void, void> {
  const { decompressor, signal } = reading;
  checkChunks(chunks, reading);
  for (const members of alike(membersOf(chunks))) {
    const size = members.reduce((sum, { start, end }) => sum + end - start, 0);
    if (decompressor.digestMembers === undefined || members[0]?.small !== true || size < worthThreads) {
      yield* readChunks(members.flatMap((member) => member.chunks), reading);
      continue;
    }
    const digest = decompressor.digestMembers.bind(decompressor);
    const ahead = { count: memberParallelism, bytes: memberParallelism * largest };
    for await (const digested of ordered(batches(members, reading), ahead, (batch) => digestBatch(batch, digest))) {
      for (const { member, parts } of digested) {
        signal?.throwIfAborted();
        if (parts !== undefined && member.chunks.every((chunk, at) => isRight(chunk, parts[at]))) {
          for (const [at, chunk] of member.chunks.entries()) yield { chunk, ...withBytes(parts[at]) };
        } else {
          yield* readMember(new ByteReader(once(member.bytes), member.start), member.chunks, reading);
        }
      }
    }
  }
}

async function digestBatch({ members }: Batch, digest: NonNullable<Decompressor['digestMembers']>) {
  const digested = await digest(members.map(orderFor));
  return members.map((member, at) => ({ member, parts: digested[at] }));
}

function orderFor({ chunks, bytes }: Batch['members'][number]): MemberToDigest {
  const parts = chunks.map((chunk) => ({ start: chunk.innerOffset, length: chunk.chunkSize, wanted: isWanted(chunk) }));
  return { data: bytes, limit: endOf(chunks) + besides, parts };
}

/** The file's own digest needs the content once more. */
function isWanted({ entry }: SeekableChunk): boolean {
  return entry.chunks.length > 1;
}

function isRight(chunk: SeekableChunk, part: DigestedPart | undefined): boolean {
  return promisedDigest(chunk) === `sha256:${part?.hex}` && (!isWanted(chunk) || part?.bytes?.length === chunk.chunkSize);
}

function withBytes(part: DigestedPart | undefined): { readonly bytes?: Uint8Array } {
  return part?.bytes === undefined ? {} : { bytes: part.bytes };
}

/** Reads the members in one go. */
async function* batches(members: readonly Member[], { blob }: ChunkReading): AsyncGenerator<Batch, void, void> {
  const start = members[0]?.start ?? 0;
  const reader = new ByteReader(blob.read(start, members.at(-1)?.end), start);
  let batch: Batch['members'][number][] = [];
  let size = 0;
  try {
    for (const member of members) {
      const length = member.end - member.start;
      await reader.skip(member.start - reader.offset);
      const bytes = await reader.peek(length);
      await reader.skip(length);
      batch.push({ ...member, bytes });
      size += length;
      if (size < batchSize && batch.length < mostMembers) continue;
      yield { size, members: batch };
      batch = [];
      size = 0;
    }
    if (batch.length > 0) yield { size, members: batch };
  } finally {
    await reader.close();
  }
}

function* membersOf(chunks: readonly SeekableChunk[]): Generator<Member, void, void> {
  for (let at = 0; at < chunks.length; ) {
    const first = chunks[at];
    if (first === undefined) return;
    let next = at + 1;
    while (chunks[next]?.offset === first.offset) next += 1;
    const those = chunks.slice(at, next);
    const small = first.nextOffset - first.offset <= largest && endOf(those) <= largest && those.every((chunk) => promisedDigest(chunk)?.startsWith('sha256:') === true);
    yield { chunks: those, start: first.offset, end: first.nextOffset, small };
    at = next;
  }
}

/** Neighbours of one kind together. */
function* alike(members: Iterable<Member>): Generator<Member[], void, void> {
  let group: Member[] = [];
  for (const member of members) {
    if (group.length > 0 && group[0]?.small !== member.small) {
      yield group;
      group = [];
    }
    group.push(member);
  }
  if (group.length > 0) yield group;
}

function endOf(chunks: readonly SeekableChunk[]): number {
  return chunks.reduce((end, { innerOffset, chunkSize }) => Math.max(end, innerOffset + chunkSize), 0);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
