import { availableParallelism } from 'node:os';
import type { DigestedPart, MemberDigester, MemberMemory, MemberToDigest } from '../engines.ts';
import { BatchThreads } from './batch-threads.ts';
import type { SharedPiece } from './shared-arena.ts';

type Digested = readonly (readonly DigestedPart[] | undefined)[];

const threads = new BatchThreads<readonly MemberToDigest[], Digested>(new URL('./member-worker.js', import.meta.url), 'verifies');

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
    const digested = memory instanceof SharedMemory ? await threads.run({ order: members, input: memory.piece, outputSize: 0 }, (result) => result) : undefined;
    return digested ?? members.map(() => undefined);
  },
};
