import { join } from 'node:path';
import type { Needs } from './peer.ts';
import { run } from './tool.ts';

/** `buildah`, with storage of its own. */
export type Buildah = (...args: readonly string[]) => Promise<string>;

export const buildah: Needs<Buildah> = {
  tools: ['buildah'],
  root: true,
  start: async (directory) => {
    const home = join(directory, 'buildah');
    // overlay does not work on every file system; vfs only copies.
    const flags = [`--root=${join(home, 'root')}`, `--runroot=${join(home, 'run')}`, '--storage-driver=vfs'];
    return (...args) => run('buildah', [...flags, ...args]);
  },
};
