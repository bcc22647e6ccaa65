import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import type { Needs } from './peer.ts';
import { run } from './tool.ts';

export interface Containerd extends Daemon {
  /** `ctr`, on this containerd, in a namespace of the test's own. */
  ctr(...args: readonly string[]): Promise<string>;
  /** The digests of its images by name, as `ctr images ls` prints them. */
  images(): Promise<ReadonlyMap<string, string>>;
  /** Another containerd namespace: empty, with content of its own. */
  namespace(name: string): Containerd;
}

async function start(directory: string): Promise<Containerd> {
  const home = join(directory, 'containerd');
  const address = join(home, 'socket');
  await mkdir(home, { recursive: true });
  const config = join(home, 'config.toml');
  // Everything below the test's own directory; without a file of its own it would take the system's.
  await writeFile(
    config,
    [
      'version = 2',
      `root = ${JSON.stringify(join(home, 'root'))}`,
      `state = ${JSON.stringify(join(home, 'state'))}`,
      // cri wants CNI plugins and a network; opt makes /opt/containerd, outside of the test's directory.
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
      '[grpc]',
      `  address = ${JSON.stringify(address)}`,
    ].join('\n'),
  );
  const daemon = await startDaemon({
    command: 'containerd',
    args: ['--config', config],
    logFile: join(home, 'log'),
    ready: () => run('ctr', ['--address', address, 'version']),
  });
  return onNamespace(daemon, address, 'interop');
}

function onNamespace(daemon: Daemon, address: string, namespace: string): Containerd {
  const ctr = (...args: readonly string[]) => run('ctr', ['--address', address, '--namespace', namespace, ...args]);
  return {
    ...daemon,
    ctr,
    async images() {
      const [, ...lines] = (await ctr('images', 'ls')).trim().split('\n');
      return new Map(lines.map((line) => line.split(/\s+/)).map(([name = '', , digest = '']) => [name, digest]));
    },
    namespace: (name) => onNamespace(daemon, address, name),
  };
}

export const containerd: Needs<Containerd> = {
  tools: ['containerd', 'ctr'],
  root: true,
  start,
  stop: (peer) => peer.stop(),
  log: (peer) => peer.log(),
};
