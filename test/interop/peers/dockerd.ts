import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import type { Needs } from './peer.ts';
import { run } from './tool.ts';

export interface Dockerd extends Daemon {
  /** `docker`, on this engine. */
  docker(...args: readonly string[]): Promise<string>;
}

async function start(directory: string): Promise<Dockerd> {
  const home = join(directory, 'docker');
  await mkdir(home, { recursive: true });
  const config = join(home, 'daemon.json');
  await writeFile(config, '{}');
  const host = `unix://${join(home, 'socket')}`;
  // A configuration of its own, so that neither contexts nor credentials of the user's take part.
  const docker = (...args: readonly string[]) => run('docker', args, { DOCKER_HOST: host, DOCKER_CONFIG: home });
  const daemon = await startDaemon({
    command: 'dockerd',
    args: [
      `--config-file=${config}`,
      `--host=${host}`,
      // Absolute: dockerd starts a containerd of its own below exec-root and dials its socket by this path.
      `--exec-root=${join(home, 'exec')}`,
      `--data-root=${join(home, 'data')}`,
      `--pidfile=${join(home, 'pid')}`,
      // Nothing of the machine's network is touched: no rules, no docker0, no forwarding.
      '--iptables=false',
      '--bridge=none',
      '--ip-forward=false',
      '--ip-masq=false',
      // overlay2 does not work on every file system (in a container, say); vfs only copies.
      '--storage-driver=vfs',
    ],
    logFile: join(home, 'log'),
    ready: () => docker('version'),
  });
  return { ...daemon, docker };
}

export const dockerd: Needs<Dockerd> = {
  tools: ['dockerd', 'docker'],
  root: true,
  start,
  stop: (peer) => peer.stop(),
  log: (peer) => peer.log(),
};
