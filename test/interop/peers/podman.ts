import { join } from 'node:path';
import type { Needs } from './peer.ts';
import { run } from './tool.ts';

/** `podman`, with storage of its own. There is no daemon. */
export type Podman = (...args: readonly string[]) => Promise<string>;

export const podman: Needs<Podman> = {
  tools: ['podman'],
  root: true,
  start: async (directory) => {
    const home = join(directory, 'podman');
    const flags = [
      `--root=${join(home, 'root')}`,
      `--runroot=${join(home, 'run')}`,
      `--tmpdir=${join(home, 'tmp')}`,
      // overlay does not work on every file system; vfs only copies.
      '--storage-driver=vfs',
      // Where systemd and its journal do not run, podman's defaults fail or warn.
      '--cgroup-manager=cgroupfs',
      '--events-backend=none',
    ];
    return (...args) => run('podman', [...flags, ...args]);
  },
};
