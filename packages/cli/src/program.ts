import { processIo } from './process-io.ts';
import { run } from './run.ts';
import { dieBy, onSignals } from './signals.ts';

/** The command line as a process: its streams, its signals, its exit status. */
export async function program(args: readonly string[], version: string): Promise<void> {
  const controller = new AbortController();
  const signals = onSignals(controller, (text) => void process.stderr.write(text));
  const status = await run(args, processIo(controller.signal, version));
  signals.dispose();
  // What was done before the signal could stop it is done.
  if (signals.received !== undefined && status !== 0) dieBy(signals.received);
  // Not process.exit: what is still on its way to a pipe has to get there.
  process.exitCode = status;
}
