import { availableParallelism } from 'node:os';
import type { DigestedPart, MemberDigester, MemberMemory, MemberToDigest } from '../engines.ts';
import { BatchThreads } from './batch-threads.ts';
import type { SharedPiece } from './shared-arena.ts';

/** The digests of all parts one behind the other, and the bytes of those that are wanted. A member that is not right has spaces. */
interface Digested {
  readonly hex: string;
  readonly wanted: readonly Uint8Array[];
}

const threads = new BatchThreads<Float64Array, Digested>(new URL('./member-worker.js', import.meta.url), 'verifies');
const digestLength = 64;

class SharedMemory implements MemberMemory {
  readonly piece: SharedPiece;

  constructor(size: number) {
    this.piece = threads.arena.take(size);
  }

  get bytes(): Uint8Array {
    return this.piece.bytes;
  }

  release(): void {
    threads.arena.give(this.piece);
  }
}

/** For gzip members with plain headers: inflates them and digests (SHA-256), in threads of its own. */
export const memberDigester: MemberDigester = {
  // One that each core works on and one that it finds waiting.
  parallelism: 2 * availableParallelism(),
  expect: () => threads.start(),
  memory: (size) => new SharedMemory(size),
  async digest(memory, members) {
    const digested = memory instanceof SharedMemory ? await threads.run({ order: packed(members), input: memory.piece, outputSize: 0 }, (result) => result) : undefined;
    return digested === undefined ? members.map(() => undefined) : unpacked(members, digested);
  },
};

/** Of each member start, end, limit, the number of parts; and of each part start, length, and 1 where it is wanted. Objects take ten times as long to send. */
function packed(members: readonly MemberToDigest[]): Float64Array {
  const order = new Float64Array(members.reduce((size, { parts }) => size + 4 + 3 * parts.length, 0));
  let at = 0;
  for (const { start, end, limit, parts } of members) {
    order[at++] = start;
    order[at++] = end;
    order[at++] = limit;
    order[at++] = parts.length;
    for (const part of parts) {
      order[at++] = part.start;
      order[at++] = part.length;
      order[at++] = part.wanted ? 1 : 0;
    }
  }
  return order;
}

function unpacked(members: readonly MemberToDigest[], { hex, wanted }: Digested): readonly (readonly DigestedPart[] | undefined)[] {
  let at = 0;
  let taken = 0;
  return members.map(({ parts }) => {
    const digested = parts.map((part): DigestedPart => {
      const digest = hex.slice(at, (at += digestLength));
      return part.wanted ? { hex: digest, bytes: wanted[taken++] ?? new Uint8Array(0) } : { hex: digest };
    });
    return digested.some((part) => part.hex.startsWith(' ')) ? undefined : digested;
  });
}
