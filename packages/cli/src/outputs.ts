import { accessSync, closeSync, constants, lstatSync, openSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { OciTarError } from '@oci-tar/core';
import type { ByteSink, ErrorCode } from '@oci-tar/core';
import type { Context } from './context.ts';
import { errnoOf } from './descriptor-sink.ts';
import { UsageError } from './failure.ts';

const standardOutput: ReadonlySet<string> = new Set(['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']);

/** Where an archive goes: a path, or stdout, which no rename may replace. */
export function archiveOutput(context: Context, output: string): string | ByteSink {
  if (output === '') throw new UsageError('the name of the output is empty');
  if (!standardOutput.has(output)) {
    if (isTerminalDevice(output)) throw refused(output);
    if (statSync(output, { throwIfNoEntry: false })?.isDirectory() === true) throw new UsageError(`${output} is a directory`, 'Name a file to write.');
    return output;
  }
  if (context.io.stdout.isTerminal) throw refused('standard output');
  return context.io.stdout.sink();
}

/** Throws what the opening of an output would throw, and makes nothing. */
export function checkOutput(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  // What is not regular is written in place, and where a link leads is looked at when it is followed.
  if (found !== undefined && !found.isFile()) return;
  try {
    accessSync(dirname(resolve(path)), constants.W_OK);
  } catch (error) {
    const [code, says] = outputFailures.get(errnoOf(error) ?? '') ?? [];
    if (code === undefined) throw error;
    throw new OciTarError(code, `${path}: ${says}`, { subject: path, side: 'target', cause: error });
  }
}

const outputFailures: ReadonlyMap<string, readonly [code: ErrorCode, says: string]> = new Map([
  ['ENOENT', ['NOT_FOUND', 'its directory does not exist']],
  ['ENOTDIR', ['NOT_FOUND', 'a part of the path is not a directory']],
  ['EACCES', ['FORBIDDEN', 'permission denied']],
  ['EROFS', ['READ_ONLY', 'the file system is read-only']],
]);

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
