import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Needs } from './peer.ts';
import { run } from './tool.ts';

/** `skopeo`, with a policy and a temporary directory of its own. */
export type Skopeo = (...args: readonly string[]) => Promise<string>;

export const skopeo: Needs<Skopeo> = {
  tools: ['skopeo'],
  start: async (directory) => {
    const policy = join(directory, 'policy.json');
    // The system's may be missing, or demand signatures.
    await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
    const temporary = await mkdtemp(join(directory, 'skopeo-'));
    return (...args) => run('skopeo', ['--policy', policy, '--tmpdir', temporary, ...args]);
  },
};
