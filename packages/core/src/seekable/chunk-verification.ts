import { ByteReader } from '../bytes/reader.ts';
import type { DigestedPart, MemberDigester, MemberMemory, MemberToDigest } from '../runtime/engines.ts';
import { ordered } from '../runtime/ordered.ts';
import { checkChunks, checkLimits, readChunks, readMember } from './chunk-reader.ts';
import type { ChunkReading } from './chunk-reader.ts';
import type { SeekableChunk } from './entry.ts';
import type { BlobParts } from './footer.ts';
import { alike, endOfContent, largestSmallMember, memberBatches, membersOf } from './member-batches.ts';
import type { Member, MemberBatch } from './member-batches.ts';
import { promisedDigest } from './verifiers.ts';

/** A chunk whose content is what its digest says. */
export interface VerifiedChunk {
  readonly chunk: SeekableChunk;
  /** Its content, where the file has more than one chunk. */
  readonly bytes?: Uint8Array;
}

/** What a member may have beside what the TOC tells of: padding, and the headers of what has no content. */
const besides = 1024 * 1024;
/** A thread takes 30 ms to start: less than this is read before one would have. */
const worthThreads = 1024 * 1024;
/** From here on the threads are worth starting before it is known what is in the layer. */
const surelyWorthThreads = 8 * worthThreads;

/** All chunks of a layer will be verified: threads for it start while its TOC is read, which takes as long. */
export function expectChunks({ decompressor, payloadSize }: BlobParts): void {
  if (payloadSize >= surelyWorthThreads) decompressor.memberDigester?.expect();
}

/**
 * Verifies chunks, which are in the order of the blob, over the cores; errors as in `readChunks`, for the first chunk that is not right. A member that is not
 * plainly right is read once more, in the way that finds out what is wrong.
 */
export async function* verifyChunks(chunks: readonly SeekableChunk[], reading: ChunkReading): AsyncGenerator<readonly VerifiedChunk[], void, void> {
  const { memberDigester } = reading.decompressor;
  checkLimits(chunks, reading);
  const groups = [...alike(membersOf(chunks))];
  // What is small has digests that can be computed.
  for (const members of groups) if (members[0]?.small !== true) checkChunks(members.flatMap((member) => member.chunks), reading);
  for (const members of groups) {
    const size = members.reduce((sum, { start, end }) => sum + end - start, 0);
    if (memberDigester === undefined || members[0]?.small !== true || size < worthThreads) {
      for await (const chunk of readChunks(members.flatMap((member) => member.chunks), reading)) yield [chunk];
    } else {
      yield* verifyMembers(members, memberDigester, reading);
    }
  }
}

async function* verifyMembers(members: readonly Member[], digester: MemberDigester, reading: ChunkReading): AsyncGenerator<readonly VerifiedChunk[], void, void> {
  const ahead = { count: digester.parallelism, bytes: digester.parallelism * largestSmallMember };
  const held = new Set<MemberMemory>();
  try {
    for await (const { batch, digested } of ordered(memberBatches(members, reading.blob, digester, held), ahead, (next) => digestBatch(next, digester))) {
      const { memory, start } = batch;
      reading.signal?.throwIfAborted();
      let verified: VerifiedChunk[] = [];
      for (const [at, member] of batch.members.entries()) {
        const parts = digested[at];
        if (parts !== undefined && member.chunks.every((chunk, part) => isRight(chunk, parts[part]))) {
          for (const [part, chunk] of member.chunks.entries()) verified.push({ chunk, ...withBytes(parts[part]) });
          continue;
        }
        yield verified;
        verified = [];
        const bytes = memory.bytes.slice(member.start - start, member.end - start);
        for await (const chunk of readMember(new ByteReader(once(bytes), member.start), member.chunks, reading)) yield [chunk];
      }
      yield verified;
      memory.release();
      held.delete(memory);
    }
  } finally {
    for (const memory of held) memory.release();
  }
}

async function digestBatch(batch: MemberBatch, digester: MemberDigester) {
  return { batch, digested: await digester.digest(batch.memory, batch.members.map((member) => orderFor(member, batch.start))) };
}

function orderFor({ chunks, start, end }: Member, batchStart: number): MemberToDigest {
  const parts = chunks.map((chunk) => ({ start: chunk.innerOffset, length: chunk.chunkSize, wanted: isWanted(chunk) }));
  return { start: start - batchStart, end: end - batchStart, limit: endOfContent(chunks) + besides, parts };
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

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
