import type { MemberDigester } from '../engines.ts';

/** Inflating here has no thread to go to: members are left to their readers. */
export const memberDigester: MemberDigester | undefined = undefined;
