import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { searchPath } from './tool.ts';

export interface Daemon {
  /** The last lines of what it has said. */
  log(): string;
  /** Ends it, by its process id, and waits until it is gone. */
  stop(): Promise<void>;
}

export interface DaemonCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /** Rejects as long as the daemon does not answer. */
  readonly ready: () => Promise<unknown>;
}

/** Starts a daemon and waits until it answers. Throws with its log when it ends before, or is silent for 30 seconds. */
export async function startDaemon({ command, args, logFile, ready }: DaemonCommand): Promise<Daemon> {
  const output = openSync(logFile, 'a');
  const child = spawn(command, args, { stdio: ['ignore', output, output], env: { ...process.env, PATH: searchPath } });
  closeSync(output);
  const ended = once(child, 'exit');
  const isRunning = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
  const log = () => readFileSync(logFile, 'utf8').split('\n').slice(-40).join('\n');
  const kill = () => void child.kill('SIGTERM');
  // A worker that ends early would leave the daemon behind.
  process.once('exit', kill);

  const stop = async () => {
    process.off('exit', kill);
    if (!isRunning()) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
  };
  try {
    for (let attempt = 0; ; attempt += 1) {
      // A binary that cannot be started rejects here.
      await Promise.race([ended, wait(50)]);
      if (!isRunning()) throw new Error(`${command} ended`);
      const answered = await ready().then(
        () => true,
        () => false,
      );
      if (answered) return { log, stop };
      if (attempt === 600) throw new Error(`${command} does not answer`);
    }
  } catch (error) {
    await stop();
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${log()}`, { cause: error });
  }
}
