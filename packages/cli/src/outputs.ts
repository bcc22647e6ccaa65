import { closeSync, constants, openSync, statSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { ByteSink } from '@oci-tar/core';
import type { Context } from './context.ts';
import { UsageError } from './failure.ts';

const standardOutput: ReadonlySet<string> = new Set(['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']);

/** Where an archive goes: a path, or stdout, which no rename may replace. */
export function archiveOutput(context: Context, output: string): string | ByteSink {
  if (output === '') throw new UsageError('the name of the output is empty');
  if (!standardOutput.has(output)) {
    if (isTerminalDevice(output)) throw refused(output);
    return output;
  }
  if (context.io.stdout.isTerminal) throw refused('standard output');
  return context.io.stdout.sink();
}

function refused(name: string): UsageError {
  return new UsageError(`${name} is a terminal, which an archive would garble`, 'Write to a file, or pipe the output into another program.');
}

function isTerminalDevice(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isCharacterDevice() !== true) return false;
  try {
    const descriptor = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      return isatty(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Whoever writes to it will say what is wrong.
    return false;
  }
}
