import { createReadStream, fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { ByteStream } from '@oci-tar/core';
import { descriptorSink, outputError } from './descriptor-sink.ts';
import type { Io } from './io.ts';

/** One read from a file on stdin, in bytes; a pipe gives at most 64 KiB at a time anyhow. */
const readSize = 1024 * 1024;

/** The streams and the environment of this process. Nothing is opened before it is used. */
export function processIo(signal: AbortSignal, version: string): Io {
  // Without a listener a reader that goes away would end the process with a stack trace.
  process.stderr.on('error', () => {});
  return {
    signal,
    version,
    env: process.env,
    stdin: { isTerminal: isatty(0), bytes: stdinBytes },
    stdout: {
      isTerminal: isatty(1),
      ...columnsOf(isatty(1) ? terminalColumns() : undefined),
      write: writeText,
      sink: () => descriptorSink(1, 'standard output'),
    },
    stderr: {
      isTerminal: isatty(2),
      ...columnsOf(isatty(2) ? process.stderr.columns : undefined),
      write: (text) => void process.stderr.write(text),
    },
  };
}

function columnsOf(columns: number | undefined): { readonly columns?: number } {
  return columns === undefined || columns <= 0 ? {} : { columns };
}

function stdinBytes(): ByteStream {
  return fstatSync(0).isFile() ? createReadStream('', { fd: 0, autoClose: false, highWaterMark: readSize }) : process.stdin;
}

function writeText(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(outputError(error, 'standard output'));
    process.stdout.once('error', fail);
    process.stdout.write(text, (error) => {
      // The listener stays after an error, whose event comes later than this call.
      if (error) return fail(error);
      process.stdout.off('error', fail);
      resolve();
    });
  });
}

/** Not asked for by everyone: merely to look at `process.stdout` makes a pipe non-blocking, for its other users too. */
function terminalColumns(): number | undefined {
  const { stdout } = process;
  return stdout.columns;
}
