import type { DigestedPart, MemberToDigest } from '../engines.ts';

/** No threads, so nothing goes on at the same time. */
export const memberParallelism = 1;

/** Nothing to start. */
export function expectMembers(): void {}

/** Inflating here has no thread to go to: each member is left to its reader. */
export async function digestMembers(members: readonly MemberToDigest[]): Promise<readonly (readonly DigestedPart[] | undefined)[]> {
  return members.map(() => undefined);
}
