import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Needs } from './peer.ts';

/** A registry of the distribution project, empty, on loopback. */
export interface DistributionRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly process: ChildProcess;
  readonly log: () => string;
}

export const distribution: Needs<DistributionRegistry> = {
  tools: ['docker-registry'],
  start: async (directory) => {
    const port = await freePort();
    const config = join(directory, 'registry.yml');
    // JSON is YAML.
    await writeFile(config, JSON.stringify({ version: 0.1, log: { level: 'warn' }, storage: { filesystem: { rootdirectory: join(directory, 'registry') }, delete: { enabled: true } }, http: { addr: `127.0.0.1:${port}` } }));
    const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-20_000)));
    const host = `127.0.0.1:${port}`;
    for (let attempt = 0; attempt < 200; attempt++) {
      if (await fetch(`http://${host}/v2/`).then((answer) => answer.ok, () => false)) return { host, process: child, log: () => text };
      await sleep(50);
    }
    child.kill('SIGKILL');
    throw new Error(`the registry does not answer:\n${text}`);
  },
  stop: async ({ process: child }) => {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  },
  log: ({ log }) => log(),
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
