import type { Needs } from './peer.ts';
import { run } from './tool.ts';

/** `umoci`. Without root it unpacks with --rootless only. */
export type Umoci = (...args: readonly string[]) => Promise<string>;

export const umoci: Needs<Umoci> = {
  tools: ['umoci'],
  start: async () => (...args) => run('umoci', args),
};
