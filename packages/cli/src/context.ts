import type { RegistryOptions } from '@oci-tar/core';
import type { Io } from './io.ts';
import type { Progress } from './progress.ts';
import type { styler } from './style.ts';
import { shown } from './style.ts';

/** What a command is run with. */
export interface Context {
  readonly io: Io;
  /** The directory of the local store. */
  readonly store: string;
  /** How registries are spoken to. */
  readonly registry: RegistryOptions;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly signal: AbortSignal;
  readonly style: ReturnType<typeof styler>;
  readonly progress: Progress;
}

/** Tells something that is no result and no error. Not with `--quiet`, and not with `--json`, whose results say it. */
export function note(context: Context, text: string): void {
  if (context.quiet || context.json) return;
  context.progress.clear();
  context.io.stderr.write(`${shown(text)}\n`);
}

/** What a command has to say, in its three forms. */
export interface Result {
  /** For programs, under `--json`. */
  readonly json: unknown;
  /** For people; whole lines. */
  readonly text: string;
  /** One a line, under `--quiet`. */
  readonly names?: readonly string[];
}

/** Prints a command's result to stdout, or to stderr where stdout carries an archive. */
export async function print(context: Context, result: Result, to: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
  context.progress.clear();
  const text = context.json ? `${JSON.stringify(result.json, null, 2)}\n` : context.quiet ? (result.names ?? []).map((name) => `${shown(name)}\n`).join('') : result.text;
  if (text === '') return;
  if (to === 'stdout') await context.io.stdout.write(text);
  else context.io.stderr.write(text);
}

/** So many lines are written at a time. */
const linesTogether = 4096;

/** Prints lines to stdout as they are made, of which there may be a million. */
export async function printLines(context: Context, lines: Iterable<string>): Promise<void> {
  context.progress.clear();
  let waiting: string[] = [];
  for (const line of lines) {
    waiting.push(`${line}\n`);
    if (waiting.length < linesTogether) continue;
    await context.io.stdout.write(waiting.join(''));
    waiting = [];
  }
  if (waiting.length > 0) await context.io.stdout.write(waiting.join(''));
}
