import { availableParallelism } from 'node:os';
import type { DigestedPart, MemberToDigest } from '../engines.ts';
import { BatchThreads } from './batch-threads.ts';

/** How many batches are worth having under way: one that each core works on and one that it finds waiting. */
export const memberParallelism: number = 2 * availableParallelism();

type Digested = readonly (readonly DigestedPart[] | undefined)[];
/** Where each member lies in the batch's memory. */
type Order = readonly { readonly start: number; readonly end: number; readonly limit: number; readonly parts: MemberToDigest['parts'] }[];

const threads = new BatchThreads<Order, Digested>(new URL('./member-worker.js', import.meta.url), 'verifies');

/** Members are about to come: the threads may start while something else is done before. */
export function expectMembers(): void {
  threads.start();
}

/**
 * Inflates members in a thread of its own and digests (SHA-256) the parts that are asked for; undefined for a member that is incomplete, damaged or
 * larger than its limit, and for all of them where threads do not work. The caller bounds how many batches are under way.
 */
export async function digestMembers(members: readonly MemberToDigest[]): Promise<Digested> {
  if (threads.broken) return members.map(() => undefined);
  const input = threads.arena.take(members.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  const order = members.map(({ data, limit, parts }) => {
    const start = at;
    input.bytes.set(data, start);
    at += data.length;
    return { start, end: at, limit, parts };
  });
  const digested = await threads.run({ order, input, outputSize: 0 }, (result) => result);
  return digested ?? members.map(() => undefined);
}
