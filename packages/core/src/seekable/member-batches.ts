import { ByteReader } from '../bytes/reader.ts';
import type { ByteSource, OpenSource } from '../bytes/types.ts';
import type { MemberDigester, MemberMemory } from '../runtime/engines.ts';
import type { SeekableChunk } from './entry.ts';
import { promisedDigest } from './verifiers.ts';

/** What one thread is given at once: a message costs 50 µs on both sides, an average member 100. */
const batchSize = 1024 * 1024;
const mostMembers = 2000;
/** Zeros are 1000 times as large as their member: of a file of them a batch would have, and give back, a gigabyte. */
const contentSize = 8 * 1024 * 1024;
/** Members of more than this, compressed or not, are read as a stream. */
export const largestSmallMember: number = 8 * 1024 * 1024;

/** One member with all its chunks. */
export interface Member {
  readonly chunks: readonly SeekableChunk[];
  readonly start: number;
  readonly end: number;
  readonly small: boolean;
}

/** Members in a row, with their bytes. */
export interface MemberBatch {
  readonly members: readonly Member[];
  /** Position of the memory's first byte in the blob. */
  readonly start: number;
  /** Of the members and of their content, which may come back whole. */
  readonly size: number;
  readonly memory: MemberMemory;
}

/** Members of which each ends where the next one starts. */
export function* membersOf(chunks: readonly SeekableChunk[]): Generator<Member, void, void> {
  for (let at = 0; at < chunks.length; ) {
    const first = chunks[at];
    if (first === undefined) return;
    let next = at + 1;
    while (chunks[next]?.offset === first.offset) next += 1;
    const those = chunks.slice(at, next);
    const fits = first.nextOffset - first.offset <= largestSmallMember && endOfContent(those) <= largestSmallMember;
    const small = fits && those.every((chunk) => promisedDigest(chunk)?.startsWith('sha256:') === true);
    yield { chunks: those, start: first.offset, end: first.nextOffset, small };
    at = next;
  }
}

/** Neighbours of one kind together. */
export function* alike(members: Iterable<Member>): Generator<Member[], void, void> {
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

export function endOfContent(chunks: readonly SeekableChunk[]): number {
  return chunks.reduce((end, { innerOffset, chunkSize }) => Math.max(end, innerOffset + chunkSize), 0);
}

/** Reads members that follow each other; the memory of each batch is put into `held`. */
export async function* memberBatches(members: readonly Member[], blob: ByteSource, digester: MemberDigester, held: Set<MemberMemory>): AsyncGenerator<MemberBatch, void, void> {
  const filler = await fillerOf(blob, members[0]?.start ?? 0, members.at(-1)?.end ?? 0);
  try {
    for (let at = 0; at < members.length; ) {
      const start = members[at]?.start ?? 0;
      let end = start;
      let content = 0;
      let next = at;
      for (let member = members[next]; member !== undefined && end - start < batchSize && content < contentSize && next - at < mostMembers; member = members[next]) {
        end = member.end;
        content += endOfContent(member.chunks);
        next += 1;
      }
      const memory = digester.memory(end - start);
      held.add(memory);
      await filler.readInto(memory.bytes, start);
      yield { members: members.slice(at, next), start, size: end - start + content, memory };
      at = next;
    }
  } finally {
    await filler.close();
  }
}

/** Fills one piece of memory after the other: straight where the source can, else out of one stream. */
async function fillerOf(source: ByteSource, start: number, end: number): Promise<OpenSource> {
  if (source.open !== undefined) return source.open();
  const reader = new ByteReader(source.read(start, end), start);
  return {
    async readInto(target) {
      let filled = 0;
      for await (const run of reader.stream(target.length)) {
        target.set(run, filled);
        filled += run.length;
      }
    },
    close: () => reader.close(),
  };
}
