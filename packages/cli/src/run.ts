import type { GlobalValues } from './command.ts';
import type { Context } from './context.ts';
import { exitStatus, failureOf, failureText } from './failure.ts';
import type { Io } from './io.ts';
import { parseLine } from './parse.ts';
import { Progress } from './progress.ts';
import { registryOf } from './registry-options.ts';
import { Interrupted } from './signals.ts';
import { storePath } from './store-path.ts';
import { shown, styler } from './style.ts';

/** Runs one command line and resolves to its exit status; it never throws. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let progress = new Progress();
  try {
    const line = await parseLine(args, io);
    if (line.kind === 'text') {
      await io.stdout.write(line.text);
      return exitStatus.ok;
    }
    const { json = false, quiet = false } = line.values;
    // A dumb terminal cannot draw over a line.
    if (!json && !quiet) progress = new Progress(io.env['TERM'] === 'dumb' ? { isTerminal: false, write: (text) => io.stderr.write(text) } : io.stderr);
    return (await line.work(contextOf(line.values, io, progress))) ?? exitStatus.ok;
  } catch (error) {
    progress.clear();
    // Whatever an interrupt makes fail fails because of it.
    return tell(io.signal.reason instanceof Interrupted ? io.signal.reason : error, args, io);
  }
}

function contextOf(values: GlobalValues, io: Io, progress: Progress): Context {
  const { store, json = false, quiet = false } = values;
  const warn = (text: string) => {
    if (quiet || json) return;
    progress.clear();
    io.stderr.write(shown(`warning: ${text}\n`));
  };
  return {
    io,
    store: storePath(store, io.env),
    registry: registryOf(values, { signal: io.signal, env: io.env, onWarning: warn }),
    json,
    quiet,
    signal: io.signal,
    style: styler(io.stdout.isTerminal && !json, io.env),
    progress,
  };
}

function tell(error: unknown, args: readonly string[], io: Io): number {
  const { status, report } = failureOf(error);
  if (report === undefined) return status;
  // The line may be what is wrong, so the flag is looked for in it as it stands.
  const json = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).includes('--json');
  io.stderr.write(json ? `${JSON.stringify({ error: report })}\n` : shown(failureText(report)));
  if (io.env['OCI_TAR_DEBUG'] && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`);
  return status;
}
